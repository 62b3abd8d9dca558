// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actor.hpp>
#include <troupe/actors/worker_pool.hpp>
#include <troupe/event.hpp>
#include <troupe/net_error.hpp>
#include <troupe/task_tree.hpp>
#include <troupe/testing/virtual_clock.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using testing::run_virtually;

namespace {

task<int> twice(int& x) {
  co_await sleep_for(1s);
  if (x < 0)
    throw std::invalid_argument("below zero");
  co_return 2 * x;
}

using int_pool = worker_pool<int, int>;

} // namespace

BOOST_AUTO_TEST_SUITE(worker_pools)

BOOST_AUTO_TEST_CASE(jobs_are_done_by_so_many_workers_at_a_time) {
  duration took{};
  int sum = 0;
  run_virtually([&]() -> task<> {
    worker_pool_options options;
    options.workers = 3;
    const time_point begin = current_time();
    co_await with_worker_pool(options, twice, [&](int_pool& pool) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        for (int i = 1; i <= 9; ++i)
          n.start_soon([&, i]() -> task<> { sum += co_await pool.run(i); });
        co_await sleep_for(500ms);
        const auto s = pool.statistics();
        BOOST_TEST(s.workers == 3u);
        BOOST_TEST(s.busy == 3u);
        BOOST_TEST(s.queued == 6u);
      });
      BOOST_TEST(pool.statistics().done == 9u);
    });
    took = current_time() - begin;
  });
  BOOST_TEST(sum == 90);
  BOOST_TEST((took == 3s));
}

BOOST_AUTO_TEST_CASE(the_end_of_the_body_waits_for_jobs_that_were_handed_over) {
  int done = 0;
  run_virtually([&]() -> task<> {
    worker_pool_options options;
    const auto work = [&](std::string& name) -> task<> {
      co_await sleep_for(1s);
      done += static_cast<int>(name.size());
    };
    co_await with_worker_pool(options, work, [&](worker_pool<std::string>& pool) -> task<> {
      for (int i = 0; i < 10; ++i)
        co_await pool.submit("job");
    });
  });
  BOOST_TEST(done == 30);
}

BOOST_AUTO_TEST_CASE(a_full_queue_makes_its_users_wait) {
  run_virtually([&]() -> task<> {
    worker_pool_options options;
    options.workers = 1;
    options.queue = 2;
    co_await with_worker_pool(options, twice, [&](int_pool& pool) -> task<> {
      const time_point begin = current_time();
      for (int i = 0; i < 3; ++i)
        co_await pool.submit(i);
      co_await checkpoint();
      int extra = 3;
      BOOST_TEST(!pool.try_submit(extra)); // one is being done, two wait
      co_await pool.submit(3);
      BOOST_TEST((current_time() - begin == 1s));
    });
  });
}

BOOST_AUTO_TEST_CASE(higher_priorities_come_first_and_equal_ones_in_order) {
  std::string order;
  run_virtually([&]() -> task<> {
    worker_pool_options options;
    options.workers = 1;
    const auto work = [&](char& name) -> task<> {
      order += name;
      co_await sleep_for(1s);
    };
    co_await with_worker_pool(options, work, [&](worker_pool<char>& pool) -> task<> {
      co_await pool.submit('0');
      co_await sleep_for(100ms);
      co_await pool.submit('a', {.priority = 0});
      co_await pool.submit('b', {.priority = 5});
      co_await pool.submit('c', {.priority = 0});
      co_await pool.submit('d', {.priority = 5});
      co_await pool.submit('e', {.priority = -1});
    });
  });
  BOOST_TEST(order == "0bdace");
}

BOOST_AUTO_TEST_CASE(a_failure_goes_to_who_waits_and_else_to_the_dead_letters) {
  run_virtually([&]() -> task<> {
    worker_pool_options options;
    const auto work = [](int& x) -> task<> {
      co_await checkpoint();
      throw std::runtime_error("job " + std::to_string(x));
    };
    co_await with_worker_pool(options, work, [&](worker_pool<int>& pool) -> task<> {
      auto letters = pool.dead_letters();
      const auto result = co_await as_outcome(pool.run(1));
      BOOST_TEST(describe(result.error()) == "job 1");
      co_await pool.submit(2);
      co_await pool.drain();
      const auto letter = letters.try_receive();
      BOOST_TEST_REQUIRE(letter.has_value());
      BOOST_TEST(letter->job == 2);
      BOOST_TEST(letter->attempts == 1u);
      BOOST_TEST(describe(letter->error) == "job 2");
      BOOST_TEST(!letters.try_receive());
      BOOST_TEST(pool.statistics().failed == 2u);
    });
  });
}

BOOST_AUTO_TEST_CASE(p03_a_cancelled_job_is_taken_out_of_the_queue_or_cancelled) {
  int begun = 0, finished = 0;
  run_virtually([&]() -> task<> {
    worker_pool_options options;
    options.workers = 1;
    const auto work = [&](int&) -> task<int> {
      ++begun;
      co_await sleep_for(10s);
      co_return ++finished;
    };
    co_await with_worker_pool(options, work, [&](int_pool& pool) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        const auto call = [&]() -> task<> {
          co_await move_on_after(1s, [&]() -> task<> { static_cast<void>(co_await pool.run(1)); });
        };
        n.start_soon(call); // is begun
        n.start_soon(call); // waits
        co_return;
      });
      BOOST_TEST(pool.statistics().queued == 0u);
      co_await pool.drain();
      BOOST_TEST(pool.statistics().busy == 0u);
      BOOST_TEST(co_await pool.run(3) == 1);
    });
  });
  BOOST_TEST(begun == 2);
  BOOST_TEST(finished == 1);
}

BOOST_AUTO_TEST_CASE(a_limit_counts_from_the_call_in_the_queue_as_in_the_work) {
  run_virtually([&]() -> task<> {
    worker_pool_options options;
    options.workers = 1;
    co_await with_worker_pool(options, twice, [&](int_pool& pool) -> task<> {
      const auto in_work = co_await as_outcome(pool.run(1, {.limit = 500ms}));
      BOOST_CHECK_THROW(std::rethrow_exception(in_work.error()), timeout_error);
      auto letters = pool.dead_letters();
      co_await pool.submit(1);
      co_await pool.submit(2, {.limit = 800ms}); // has not begun by then
      const auto in_queue = co_await as_outcome(pool.run(3, {.limit = 900ms}));
      BOOST_CHECK_THROW(std::rethrow_exception(in_queue.error()), timeout_error);
      co_await pool.drain();
      const auto letter = letters.try_receive();
      BOOST_TEST_REQUIRE(letter.has_value());
      BOOST_TEST(letter->job == 2);
      BOOST_TEST(letter->attempts == 0u);
      BOOST_CHECK_THROW(std::rethrow_exception(letter->error), timeout_error);
    });
  });
}

BOOST_AUTO_TEST_CASE(the_limit_of_a_job_that_is_handed_over_counts_from_the_call_and_ends_in_time) {
  run_virtually([&]() -> task<> {
    worker_pool_options options;
    options.workers = 1;
    options.queue = 1;
    const auto work = [](int& x) -> task<int> {
      co_await sleep_for(1h);
      co_return x;
    };
    co_await with_worker_pool(options, work, [&](int_pool& pool) -> task<> {
      auto letters = pool.dead_letters();
      const time_point begin = current_time();
      const auto letter_of = [&](int job, duration after) -> task<> {
        const auto letter = co_await letters.receive();
        BOOST_TEST(letter.job == job);
        BOOST_TEST(letter.attempts == 0u);
        BOOST_CHECK_THROW(std::rethrow_exception(letter.error), timeout_error);
        BOOST_TEST((current_time() - begin == after));
      };
      co_await pool.submit(1);
      co_await checkpoint(); // it has begun
      co_await pool.submit(2, {.limit = 10s});
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([&]() -> task<> { // waits for a place, while its time passes
          co_await pool.submit(3, {.limit = 15s});
          BOOST_TEST((current_time() - begin == 10s));
        });
        co_await letter_of(2, 10s);
        co_await letter_of(3, 15s);
      });
      BOOST_TEST(pool.statistics().queued == 0u);
      co_await pool.submit(4, {.limit = 2h}); // in time
    });
  });
}

BOOST_AUTO_TEST_CASE(failures_are_tried_again_as_the_policy_says_without_holding_a_worker) {
  std::vector<duration> at;
  run_virtually([&]() -> task<> {
    worker_pool_options options;
    options.workers = 1;
    retry_policy policy;
    policy.first_delay = 1s;
    policy.factor = 2;
    policy.jitter = 0;
    policy.attempts = 3;
    options.retry = policy;
    const time_point begin = current_time();
    const auto work = [&](int& x) -> task<int> {
      if (x == 1)
        at.push_back(current_time() - begin);
      co_await checkpoint();
      if (x == 1)
        throw timeout_error("not there");
      if (x == 2)
        throw std::logic_error("never");
      co_return x;
    };
    co_await with_worker_pool(options, work, [&](int_pool& pool) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([&]() -> task<> {
          const auto result = co_await as_outcome(pool.run(1));
          BOOST_CHECK_THROW(std::rethrow_exception(result.error()), timeout_error);
        });
        co_await sleep_for(100ms);
        BOOST_TEST(co_await pool.run(7) == 7); // while the other one waits
        const auto mistake = co_await as_outcome(pool.run(2));
        BOOST_CHECK_THROW(std::rethrow_exception(mistake.error()), std::logic_error);
      });
      BOOST_TEST(pool.statistics().retried == 2u);
    });
  });
  const std::vector<duration> expected{0s, 1s, 3s};
  BOOST_TEST((at == expected));
}

BOOST_AUTO_TEST_CASE(workers_come_while_jobs_wait_and_go_when_they_are_idle) {
  run_virtually([&]() -> task<> {
    worker_pool_options options;
    options.workers = 1;
    options.max_workers = 3;
    options.idle_limit = 5s;
    co_await with_worker_pool(options, twice, [&](int_pool& pool) -> task<> {
      for (int i = 0; i < 10; ++i)
        co_await pool.submit(i);
      co_await sleep_for(500ms);
      BOOST_TEST(pool.statistics().workers == 3u);
      co_await pool.drain();
      co_await sleep_for(3s);
      BOOST_TEST(pool.statistics().workers == 3u);
      co_await sleep_for(3s);
      BOOST_TEST(pool.statistics().workers == 1u);
      BOOST_TEST(pool.statistics().workers_lost == 0u);
      BOOST_TEST(co_await pool.run(1) == 2);
    });
  });
}

BOOST_AUTO_TEST_CASE(a_lost_worker_is_replaced_and_its_job_done_again_or_failed_as_asked) {
  for (const auto how : {delivery::at_least_once, delivery::at_most_once}) {
    int begun = 0;
    run_virtually([&]() -> task<> {
      worker_pool_options options;
      options.workers = 1;
      options.lost = how;
      const auto work = [&](int& x) -> task<int> {
        if (++begun == 1) {
          send_exit(self(), caf::exit_reason::kill); // the worker's own task
          co_await sleep_forever();
        }
        co_await checkpoint();
        co_return x;
      };
      co_await with_worker_pool(options, work, [&](int_pool& pool) -> task<> {
        const auto result = co_await as_outcome(pool.run(5));
        if (how == delivery::at_least_once)
          BOOST_TEST(result.value() == 5);
        else
          BOOST_CHECK_THROW(std::rethrow_exception(result.error()), worker_lost);
        co_await sleep_for(1s);
        BOOST_TEST(pool.statistics().workers == 1u);
        BOOST_TEST(pool.statistics().workers_lost == 1u);
        BOOST_TEST(co_await pool.run(6) == 6);
      });
    });
    BOOST_TEST(begun == (how == delivery::at_least_once ? 3 : 2));
  }
}

BOOST_AUTO_TEST_CASE(jobs_come_as_messages_too) {
  run_virtually([&]() -> task<> {
    worker_pool_options options;
    co_await with_worker_pool(options, twice, [&](int_pool& pool) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        const auto front = n.start_actor([&](mailbox& in) { return pool.serve(in); });
        BOOST_TEST(co_await request<int>(front.address(), 5s, 21) == 42);
        const auto ask = [&](int x) -> task<int> {
          co_return co_await request<int>(front.address(), 5s, x);
        };
        const auto failed = co_await as_outcome(ask(-1));
        BOOST_TEST(describe(failed.error()).find("below zero") != std::string::npos);
        BOOST_TEST(co_await ask(1) == 2); // it serves on
        n.cancel();
      });
    });
  });
}

BOOST_AUTO_TEST_CASE(a_job_that_loses_every_worker_is_given_up) {
  int begun = 0;
  run_virtually([&]() -> task<> {
    worker_pool_options options;
    options.workers = 2;
    options.max_losses = 3;
    const auto work = [&](int& x) -> task<int> {
      if (x == 13) {
        ++begun;
        send_exit(self(), caf::exit_reason::kill);
        co_await sleep_forever();
      }
      co_return x;
    };
    co_await with_worker_pool(options, work, [&](int_pool& pool) -> task<> {
      auto letters = pool.dead_letters();
      co_await pool.submit(13);
      BOOST_TEST(co_await pool.run(1) == 1);
      co_await pool.drain();
      const auto letter = letters.try_receive();
      BOOST_REQUIRE(letter.has_value());
      BOOST_CHECK_THROW(std::rethrow_exception(letter->error), worker_lost);
      BOOST_TEST(pool.statistics().workers_lost == 4u);
    });
  });
  BOOST_TEST(begun == 4);
}

BOOST_AUTO_TEST_CASE(cancelling_a_pool_ends_its_workers_together_and_begins_nothing) {
  int begun = 0;
  run_virtually([&]() -> task<> {
    worker_pool_options options;
    options.workers = 4;
    const auto work = [&](int&) -> task<> {
      ++begun;
      co_await with_cleanup([]() -> task<> { co_await sleep_for(100ms); },
                            []() -> task<> { co_await sleep_for(1s); });
    };
    const auto begin = current_time();
    co_await move_on_after(50ms, [&]() -> task<> {
      co_await with_worker_pool(options, work, [&](worker_pool<int>& pool) -> task<> {
        for (int i = 0; i < 50; ++i)
          co_await pool.submit(i);
      });
    });
    BOOST_TEST((current_time() - begin == 1050ms));
  });
  BOOST_TEST(begun == 4);
}

BOOST_AUTO_TEST_CASE(cancelling_a_pool_cancels_its_jobs) {
  int begun = 0, gone = 0;
  run_virtually([&]() -> task<> {
    worker_pool_options options;
    const auto work = [&](int&) -> task<> {
      ++begun;
      struct last {
        int& count;
        ~last() { ++count; }
      } const mark{gone};
      co_await sleep_forever();
    };
    co_await move_on_after(1s, [&]() -> task<> {
      co_await with_worker_pool(options, work, [&](worker_pool<int>& pool) -> task<> {
        for (int i = 0; i < 10; ++i)
          co_await pool.submit(i);
      });
    });
  });
  BOOST_TEST(begun == 4);
  BOOST_TEST(gone == 4);
}

BOOST_AUTO_TEST_CASE(job_may_hand_over_another_when_it_goes) {
  using at_end = std::shared_ptr<void>;
  int done = 0;
  run_virtually([&]() -> task<> {
    const worker_pool_options options;
    const auto work = [&](at_end& /*job*/) -> task<> {
      ++done;
      co_await checkpoint();
    };
    co_await with_worker_pool(options, work, [](worker_pool<at_end>& pool) -> task<> {
      at_end first(nullptr, [&pool](std::nullptr_t) {
        at_end second;
        BOOST_TEST(pool.try_submit(second));
      });
      co_await pool.submit(std::move(first));
      co_await pool.drain();
      BOOST_TEST(pool.statistics().done == 2u);
    });
  });
  BOOST_TEST(done == 2);
}

BOOST_AUTO_TEST_SUITE_END()
