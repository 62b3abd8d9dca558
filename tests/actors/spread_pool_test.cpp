// SPDX-License-Identifier: BSD-3-Clause
// Worker pools over several loops, in many orders: what is handed over is taken by the loops
// themselves, one job at a time.
#include <troupe/actors/worker_pool.hpp>
#include <troupe/nursery.hpp>
#include <troupe/outcome.hpp>
#include <troupe/random.hpp>
#include <troupe/run.hpp>
#include <troupe/testing/faults.hpp>
#include <troupe/testing/simulation.hpp>
#include <troupe/time.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

/// Runs on three loops, in so many orders.
void in_orders(const std::function<task<>()>& program, testing::simulation_options how = {}) {
  how.loops = 3;
  how.shuffle_ready = true;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const auto r = testing::simulate(seed, program, how);
    BOOST_TEST(!r.failed(), r.text());
  }
}

worker_pool_options spread_over(std::size_t workers, std::size_t queue) {
  worker_pool_options options;
  options.workers = workers;
  options.queue = queue;
  options.spread = true;
  return options;
}

task<int> short_or_long(int& job) {
  co_await sleep_for(job == 0 ? duration(1h) : duration(1us));
  co_return job;
}

using int_pool = worker_pool<int, int>;

} // namespace

BOOST_AUTO_TEST_SUITE(spread_worker_pools)

BOOST_AUTO_TEST_CASE(each_job_that_is_handed_over_is_done_once_or_is_a_dead_letter) {
  in_orders([]() -> task<> {
    std::vector<int> begun(50);
    const auto work = [&](int& job) -> task<int> {
      ++begun[static_cast<std::size_t>(job)];
      co_await sleep_for(std::chrono::milliseconds(random_bits() % 3));
      if (job == 13)
        throw std::runtime_error("unlucky");
      co_return job;
    };
    const worker_pool_options options = spread_over(4, 5);
    co_await with_worker_pool(options, work, [&](int_pool& pool) -> task<> {
      auto letters = pool.dead_letters();
      for (int i = 0; i < 50; ++i)
        co_await pool.submit(i);
      co_await pool.drain();
      const auto s = pool.statistics();
      BOOST_TEST(s.done == 49u);
      BOOST_TEST(s.failed == 1u);
      BOOST_TEST(s.busy + s.queued + s.delayed == 0u);
      const auto letter = letters.try_receive();
      BOOST_REQUIRE(letter.has_value());
      BOOST_TEST(letter->job == 13);
      BOOST_TEST(letter->attempts == 1u);
    });
    BOOST_TEST(begun == std::vector<int>(50, 1), boost::test_tools::per_element());
  });
}

BOOST_AUTO_TEST_CASE(many_workers_of_a_loop_that_look_at_once_lose_none) {
  testing::simulation_options takes_time; // so loops with short jobs wait before they look for more
  takes_time.step_time = 1us;
  const auto program = []() -> task<> {
    std::vector<int> begun(1000);
    const auto work = [&](int& job) -> task<int> {
      ++begun[static_cast<std::size_t>(job)];
      co_await checkpoint();
      co_return job;
    };
    const worker_pool_options options = spread_over(150, 1000);
    co_await with_worker_pool(options, work, [&](int_pool& pool) -> task<> {
      co_await sleep_for(1s); // all workers wait
      for (int i = 0; i < 1000; ++i)
        co_await pool.submit(i);
    });
    BOOST_TEST(begun == std::vector<int>(1000, 1), boost::test_tools::per_element());
  };
  in_orders(program, takes_time);
}

BOOST_AUTO_TEST_CASE(urgent_jobs_make_no_room_for_others) {
  in_orders([]() -> task<> {
    const auto work = [](int& job) -> task<int> {
      co_await sleep_for(1h);
      co_return job;
    };
    const worker_pool_options options = spread_over(3, 10);
    co_await with_worker_pool(options, work, [](int_pool& pool) -> task<> {
      for (int i = 0; i < 3; ++i)
        co_await pool.submit(i);
      co_await sleep_for(1s);
      BOOST_TEST(pool.statistics().busy == 3u);
      int job = 3;
      for (int i = 0; i < 9; ++i)
        BOOST_TEST(pool.try_submit(job));
      BOOST_TEST(pool.try_submit(job, {.priority = 1}));
      BOOST_TEST(!pool.try_submit(job));
      BOOST_TEST(pool.statistics().queued == 10u);
    });
  });
}

BOOST_AUTO_TEST_CASE(a_long_job_holds_up_no_other_and_no_place_in_the_queue) {
  in_orders([]() -> task<> {
    const worker_pool_options options = spread_over(2, 1);
    co_await with_worker_pool(options, short_or_long, [](int_pool& pool) -> task<> {
      for (int i = 30; i-- > 0;)
        co_await pool.submit(i == 15 ? 0 : i == 0 ? 15 : i);
      co_await sleep_for(1s);
      const auto s = pool.statistics();
      BOOST_TEST(s.done == 29u);
      BOOST_TEST(s.busy == 1u);
      BOOST_TEST(s.queued == 0u);
    });
  });
}

BOOST_AUTO_TEST_CASE(an_urgent_job_is_begun_before_those_that_wait) {
  in_orders([]() -> task<> {
    std::vector<int> begun;
    const auto work = [&](int& job) -> task<int> {
      begun.push_back(job);
      co_await sleep_for(1s);
      co_return job;
    };
    const worker_pool_options options = spread_over(1, 100);
    co_await with_worker_pool(options, work, [&](int_pool& pool) -> task<> {
      for (int i = 1; i <= 5; ++i)
        co_await pool.submit(i);
      co_await sleep_for(1500ms);
      const job_options urgent{.priority = 1};
      BOOST_TEST(co_await pool.run(100, urgent) == 100);
    });
    BOOST_TEST((begun == std::vector{1, 2, 100, 3, 4, 5}));
  });
}

BOOST_AUTO_TEST_CASE(an_urgent_job_is_begun_before_those_that_a_loop_has_set_aside) {
  in_orders([]() -> task<> {
    const auto start = current_time();
    std::vector<duration> begun(22);
    const auto work = [&](int& job) -> task<int> {
      begun[static_cast<std::size_t>(job)] = current_time() - start;
      co_await sleep_for(1s);
      co_return job;
    };
    const worker_pool_options options = spread_over(3, 100);
    co_await with_worker_pool(options, work, [&](int_pool& pool) -> task<> {
      for (int i = 0; i < 20; ++i)
        co_await pool.submit(i);
      co_await sleep_for(1500ms);
      const auto s = pool.statistics();
      BOOST_TEST(s.busy == 3u);
      BOOST_TEST(s.done == 3u);
      BOOST_TEST(s.queued == 14u);
      const job_options urgent{.priority = 1};
      co_await pool.submit(20, urgent);
      co_await pool.submit(21, urgent);
    });
    BOOST_TEST((begun[20] == 2s));
    BOOST_TEST((begun[21] == 2s));
    for (int second = 0; second <= 7; ++second)
      BOOST_TEST(std::count(begun.begin(), begun.end(), duration(second * 1s))
                 == (second == 7 ? 1 : 3));
  });
}

BOOST_AUTO_TEST_CASE(a_failure_that_is_retried_is_retried) {
  in_orders([]() -> task<> {
    std::vector<int> begun(20);
    const auto work = [&](int& job) -> task<int> {
      const int attempt = ++begun[static_cast<std::size_t>(job)];
      co_await checkpoint();
      if (attempt <= job % 3)
        throw std::runtime_error("not yet");
      co_return job;
    };
    worker_pool_options options = spread_over(3, 100);
    options.retry.emplace();
    options.retry->retries = [](const std::exception_ptr&) { return true; };
    co_await with_worker_pool(options, work, [&](int_pool& pool) -> task<> {
      for (int i = 0; i < 20; ++i)
        co_await pool.submit(i);
      co_await pool.drain();
      BOOST_TEST(pool.statistics().done == 20u);
    });
    for (std::size_t i = 0; i < 20; ++i)
      BOOST_TEST(begun[i] == static_cast<int>(i % 3) + 1);
  });
}

BOOST_AUTO_TEST_CASE(what_the_policy_throws_ends_the_pool) {
  in_orders([]() -> task<> {
    const auto work = [](int&) -> task<int> { throw std::runtime_error("no"); };
    worker_pool_options options = spread_over(3, 100);
    options.retry.emplace();
    options.retry->retries = [](const std::exception_ptr&) { return true; };
    options.retry->on_retry = [](const std::exception_ptr&, duration) {
      throw std::logic_error("from the policy");
    };
    bool thrown = false;
    try {
      co_await with_worker_pool(options, work, [](int_pool& pool) -> task<> {
        for (int i = 0; i < 5; ++i)
          co_await pool.submit(i);
        co_await sleep_forever();
      });
    } catch (const std::logic_error& e) {
      thrown = e.what() == std::string("from the policy");
    }
    BOOST_TEST(thrown);
  });
}

/// One worker is cancelled at its n-th checkpoint, here or there.
void lose_a_worker(const char* what, delivery lost) {
  for (std::uint64_t n = 1; n <= 20; ++n) {
    testing::when once = testing::when::at(n);
    once.most = 1;
    testing::simulation_options how;
    how.faults = {testing::is_cancelled_at(what, once)};
    in_orders(
      [&]() -> task<> {
        worker_pool_options options = spread_over(2, 100);
        options.lost = lost;
        co_await with_worker_pool(options, short_or_long, [&](int_pool& pool) -> task<> {
          auto letters = pool.dead_letters();
          for (int i = 1; i <= 20; ++i)
            co_await pool.submit(i);
          co_await pool.drain();
          const auto s = pool.statistics();
          BOOST_TEST(s.done + s.failed == 20u);
          BOOST_TEST(s.failed <= s.workers_lost);
          if (lost == delivery::at_least_once)
            BOOST_TEST(s.failed == 0u);
          else if (s.failed != 0)
            BOOST_CHECK_THROW(std::rethrow_exception(letters.try_receive()->error), worker_lost);
        });
      },
      how);
  }
}

BOOST_AUTO_TEST_CASE(a_job_whose_loop_has_cancelled_it_is_done_again_or_has_failed) {
  lose_a_worker("jobs", delivery::at_least_once);
  lose_a_worker("jobs", delivery::at_most_once);
}

BOOST_AUTO_TEST_CASE(what_a_lost_worker_had_done_counts) {
  lose_a_worker("worker pool worker", delivery::at_least_once);
  lose_a_worker("worker pool worker", delivery::at_most_once);
}

BOOST_AUTO_TEST_CASE(when_the_pool_is_cancelled_so_are_the_jobs_of_all_loops) {
  in_orders([]() -> task<> {
    int under_way = 0;
    struct counts {
      int& n;
      explicit counts(int& x) : n(++x) {}
      ~counts() { --n; }
    };
    const auto work = [&](int& job) -> task<int> {
      const counts one(under_way);
      co_await sleep_for(std::chrono::milliseconds(job));
      co_return job;
    };
    const worker_pool_options options = spread_over(3, 100);
    const auto begin = current_time();
    co_await move_on_after(20ms, [&]() -> task<> {
      co_await with_worker_pool(options, work, [](int_pool& pool) -> task<> {
        for (int i = 0; i < 60; ++i)
          co_await pool.submit(i);
        co_await sleep_forever();
      });
    });
    BOOST_TEST((current_time() - begin == 20ms));
    BOOST_TEST(under_way == 0);
  });
}

BOOST_AUTO_TEST_CASE(results_come_from_all_loops) {
  std::atomic<int> sum{0};
  run(run_options{.loops = 2}, [&]() -> task<> {
    worker_pool_options options;
    options.spread = true;
    const auto work = [&](int& x) -> task<int> {
      co_await checkpoint();
      sum += x;
      if (x == 13)
        throw std::runtime_error("unlucky");
      co_return x;
    };
    co_await with_worker_pool(options, work, [&](int_pool& pool) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        for (int i = 1; i <= 100; ++i)
          n.start_soon([&, i]() -> task<> {
            const auto r = co_await as_outcome(pool.run(i));
            BOOST_TEST(r.failed() == (i == 13));
          });
        co_return;
      });
    });
  });
  BOOST_TEST(sum == 5050);
}

BOOST_AUTO_TEST_CASE(none_waits_behind_a_job_that_holds_its_loop) {
  constexpr int count = 100;
  for (int slow = 33; slow < count; slow += 6) { // before that, workers elsewhere may be missing
    std::atomic<int> done{0};
    run(run_options{.loops = 3}, [&]() -> task<> {
      const auto work = [&](int& job) -> task<int> {
        while (job == slow && done != count - 1) // others do all the rest
          std::this_thread::yield();
        ++done;
        co_return job;
      };
      const worker_pool_options options = spread_over(6, count);
      co_await with_worker_pool(options, work, [&](int_pool& pool) -> task<> {
        for (int i = 0; i < count; ++i)
          co_await pool.submit(i);
      });
    });
    BOOST_TEST(done == count);
  }
}

BOOST_AUTO_TEST_CASE(threads_take_every_job_once) {
  constexpr int count = 20'000;
  std::atomic<long> sum{0};
  run(run_options{.loops = 3}, [&]() -> task<> {
    const auto work = [&](int& job) -> task<int> {
      if (job % 7 == 0)
        co_await checkpoint();
      sum += job;
      if (job % 1000 == 0)
        throw std::runtime_error("a round number");
      co_return job;
    };
    worker_pool_options options = spread_over(6, 50);
    options.dead_letters = count;
    co_await with_worker_pool(options, work, [&](int_pool& pool) -> task<> {
      const auto letters = pool.dead_letters();
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([&]() -> task<> { // their results are wanted, among those of nobody
          for (int i = 1; i < 1000; ++i)
            BOOST_TEST(co_await pool.run(i) == i);
        });
        for (int i = 1000; i <= count; ++i)
          co_await pool.submit(i);
      });
      co_await pool.drain();
      const auto s = pool.statistics();
      BOOST_TEST(s.done == static_cast<std::size_t>(count - count / 1000));
      BOOST_TEST(s.failed == static_cast<std::size_t>(count / 1000));
    });
  });
  BOOST_TEST(sum == static_cast<long>(count) * (count + 1) / 2);
}

BOOST_AUTO_TEST_SUITE_END()
