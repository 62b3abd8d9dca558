// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <pthread.h>

#include <array>
#include <atomic>
#include <latch>
#include <memory>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;

namespace {

int twice(int x) { return 2 * x; }

[[noreturn]] void fail_with(const std::string& text) { throw std::runtime_error(text); }

std::string this_thread_name() {
  std::array<char, 16> name{};
  pthread_getname_np(pthread_self(), name.data(), name.size());
  return name.data();
}

/// Counts how many of it there are.
struct counted {
  explicit counted(std::atomic<int>& n) noexcept : alive(&n) { ++*alive; }
  counted(const counted& other) noexcept : alive(other.alive) { ++*alive; }
  counted& operator=(const counted&) = default; // else taken for a lambda by g++ 12's check
  ~counted() { --*alive; }
  std::atomic<int>* alive;
};

template <class F>
void run_on(unsigned loops, F fn) {
  run(run_options{.loops = loops}, std::move(fn));
}

} // namespace

BOOST_AUTO_TEST_SUITE(threads)

BOOST_AUTO_TEST_CASE(a_result_comes_back_from_another_thread) {
  run_virtually([]() -> task<> {
    const auto here = std::this_thread::get_id();
    BOOST_TEST((co_await to_thread(twice, 21)) == 42);
    BOOST_TEST((co_await to_thread(std::this_thread::get_id) != here));
    std::string text = "abc";
    const auto size = co_await to_thread([](const std::string& s) { return s.size(); }, text);
    BOOST_TEST(size == 3U);
    co_await to_thread([](std::string& s) { s += "def"; }, std::ref(text));
    BOOST_TEST(text == "abcdef");
    auto moved = std::make_unique<int>(7);
    auto back = co_await to_thread(
      [](std::unique_ptr<int> p) {
        ++*p;
        return p;
      },
      std::move(moved));
    BOOST_TEST(*back == 8);
  });
}

BOOST_AUTO_TEST_CASE(an_exception_comes_back) {
  run_virtually([]() -> task<> {
    BOOST_CHECK_EXCEPTION(co_await to_thread(fail_with, std::string("no luck")), std::runtime_error,
                          [](const auto& e) { return std::string(e.what()) == "no luck"; });
  });
}

BOOST_AUTO_TEST_CASE(the_loop_goes_on_meanwhile) {
  std::latch open(1);
  run_virtually([&]() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { co_await to_thread([&] { open.wait(); }); });
      co_await checkpoint();
      open.count_down(); // else it would never end
    });
  });
}

BOOST_AUTO_TEST_CASE(virtual_time_waits_for_what_a_thread_does) {
  run_virtually([]() -> task<> {
    const auto before = current_time();
    const bool in_time = co_await move_on_after(1ms, []() -> task<> {
      co_await to_thread([] {
        for (int i = 0; i < 1000; ++i)
          std::this_thread::yield();
      });
    });
    BOOST_TEST(in_time);
    BOOST_TEST((current_time() == before));
  });
}

BOOST_AUTO_TEST_CASE(one_job_after_another_runs_on_one_thread) {
  run_virtually([]() -> task<> {
    thread_pool pool(8, {.name = "mine"});
    std::set<std::thread::id> used;
    for (int i = 0; i < 100; ++i)
      used.insert(co_await to_thread({.pool = &pool}, std::this_thread::get_id));
    BOOST_TEST(used.size() == 1U);
    BOOST_TEST(pool.threads() == 1U);
    BOOST_TEST(pool.running() == 0U);
    BOOST_TEST((co_await to_thread({.pool = &pool}, this_thread_name)) == "mine-0");
    BOOST_TEST((co_await to_thread({.pool = &pool, .name = "tape reader"}, this_thread_name))
               == "tape reader");
    BOOST_TEST((co_await to_thread({.pool = &pool}, this_thread_name)) == "mine-0");
    BOOST_TEST((co_await to_thread(this_thread_name)) == "thread-0");
    BOOST_TEST((co_await to_thread({.pool = &cpu_pool()}, this_thread_name)) == "cpu-0");
    BOOST_TEST(cpu_pool().size() == std::max(1U, std::thread::hardware_concurrency()));
  });
}

/// Starts `jobs` jobs and says how many have run at the same time, at most.
task<int> most_at_once(thread_options options, int jobs) {
  std::atomic<int> now = 0;
  std::atomic<int> most = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    for (int i = 0; i < jobs; ++i)
      n.start_soon([&]() -> task<> {
        co_await to_thread(options, [&] {
          const int mine = ++now;
          int before = most;
          while (before < mine && !most.compare_exchange_weak(before, mine)) {
          }
          for (int k = 0; k < 50; ++k)
            std::this_thread::yield();
          --now;
        });
      });
    co_return;
  });
  co_return most.load();
}

BOOST_AUTO_TEST_CASE(no_more_jobs_run_than_the_size_allows) {
  run_virtually([]() -> task<> {
    BOOST_TEST(default_thread_pool().size() == 40U);
    thread_pool pool(3);
    BOOST_TEST((co_await most_at_once({.pool = &pool}, 50)) <= 3);
    BOOST_TEST(pool.threads() <= 3U);
    default_thread_pool().size(2);
    BOOST_TEST((co_await most_at_once({}, 50)) <= 2);
    capacity_limiter limiter(4);
    BOOST_TEST((co_await most_at_once({.limiter = &limiter}, 50)) <= 4);
    BOOST_TEST(limiter.borrowed() == 0U);
    BOOST_CHECK_THROW(thread_pool(0), std::invalid_argument);
    BOOST_CHECK_THROW(pool.size(0), std::invalid_argument);
  });
}

BOOST_AUTO_TEST_CASE(a_limiter_takes_the_place_of_the_size_of_the_default_pool) {
  run_virtually([]() -> task<> {
    default_thread_pool().size(1);
    capacity_limiter limiter(3);
    std::latch all(3);
    co_await with_nursery([&](nursery& n) -> task<> {
      thread_options options{.limiter = &limiter};
      for (int i = 0; i < 3; ++i)
        n.start_soon([&, options]() -> task<> {
          co_await to_thread(options, [&] { all.arrive_and_wait(); }); // all three at once
        });
      co_return;
    });
  });
}

BOOST_AUTO_TEST_CASE(a_pool_that_grows_lets_waiting_jobs_run) {
  run_virtually([]() -> task<> {
    thread_pool pool(1);
    std::latch open(1);
    std::latch second(1);
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { co_await to_thread({.pool = &pool}, [&] { open.wait(); }); });
      auto h = n.start_soon(
        [&]() -> task<> { co_await to_thread({.pool = &pool}, [&] { second.count_down(); }); });
      co_await checkpoint();
      BOOST_TEST(pool.running() == 1U);
      BOOST_TEST(pool.waiting() == 1U);
      pool.size(2);
      co_await h;
      open.count_down();
    });
  });
}

BOOST_AUTO_TEST_CASE(a_job_that_waits_in_the_queue_is_cancelled_without_an_effect) {
  run_virtually([]() -> task<> {
    thread_pool pool(1);
    std::latch open(1);
    std::atomic<int> ran = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { co_await to_thread({.pool = &pool}, [&] { open.wait(); }); });
      auto h =
        n.start_soon([&]() -> task<> { co_await to_thread({.pool = &pool}, [&] { ++ran; }); });
      co_await checkpoint();
      h.cancel();
      co_await checkpoint();
      co_await checkpoint();
      BOOST_TEST(h.cancelled());
      BOOST_TEST(pool.waiting() == 0U);
      open.count_down();
    });
    BOOST_TEST(ran == 0);
  });
}

BOOST_AUTO_TEST_CASE(p03_a_job_that_runs_is_waited_for_and_its_result_delivered) {
  run_virtually([]() -> task<> {
    std::latch began(1);
    std::latch open(1);
    int result = 0;
    bool went_past = false;
    co_await with_nursery([&](nursery& n) -> task<> {
      auto h = n.start_soon([&]() -> task<> {
        result = co_await to_thread([&] {
          began.count_down();
          open.wait();
          return 5;
        });
        co_await checkpoint();
        went_past = true;
      });
      co_await checkpoint();
      began.wait();
      h.cancel();
      co_await checkpoint();
      co_await checkpoint();
      BOOST_TEST(!h.done());
      open.count_down();
    });
    BOOST_TEST(result == 5);
    BOOST_TEST(!went_past);
  });
}

BOOST_AUTO_TEST_CASE(an_abandoned_job_goes_on_alone_and_its_result_is_dropped) {
  std::atomic<int> alive = 0;
  std::atomic<bool> done = false;
  std::latch open(1);
  run_virtually([&]() -> task<> {
    capacity_limiter limiter(1);
    std::latch began(1);
    const bool finished = co_await move_on_after(1s, [&]() -> task<> {
      thread_options options{.limiter = &limiter, .abandon_on_cancel = true};
      const auto job = [&began, &open, &done](const counted& c) {
        began.count_down();
        open.wait();
        done = true;
        return c;
      };
      static_cast<void>(co_await to_thread(options, job, counted(alive)));
    });
    BOOST_TEST(!finished);
    BOOST_TEST(limiter.borrowed() == 0U);
    began.wait(); // what it refers to
    BOOST_TEST(alive > 0);
    BOOST_TEST(default_thread_pool().running() == 1U);
    open.count_down();
  });
  BOOST_TEST(done); // the end of the run has waited for it
  BOOST_TEST(alive == 0);
}

BOOST_AUTO_TEST_CASE(what_an_abandoned_job_throws_is_dropped) {
  std::latch open(1);
  run_virtually([&]() -> task<> {
    const bool finished = co_await move_on_after(1s, [&]() -> task<> {
      co_await to_thread({.abandon_on_cancel = true}, [&] {
        open.wait();
        throw std::runtime_error("nobody hears this");
      });
    });
    BOOST_TEST(!finished);
    open.count_down();
  });
}

BOOST_AUTO_TEST_CASE(an_abandonable_job_that_is_not_cancelled_gives_its_result) {
  run_virtually([]() -> task<> {
    thread_options options{.abandon_on_cancel = true};
    BOOST_TEST((co_await to_thread(options, twice, 4)) == 8);
    BOOST_CHECK_THROW(co_await to_thread(options, fail_with, std::string("x")), std::runtime_error);
    const bool finished = co_await move_on_after(
      0s, [&]() -> task<> { static_cast<void>(co_await to_thread(options, twice, 4)); });
    BOOST_TEST(!finished);
  });
}

BOOST_AUTO_TEST_CASE(a_pool_waits_for_its_jobs_when_it_closes) {
  std::atomic<bool> done = false;
  std::latch open(1);
  run_virtually([&]() -> task<> {
    thread_pool pool(1);
    const bool finished = co_await move_on_after(1s, [&]() -> task<> {
      co_await to_thread({.pool = &pool, .abandon_on_cancel = true}, [&] {
        open.wait();
        done = true;
      });
    });
    BOOST_TEST(!finished);
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { co_await to_thread([&] { pool.close(); }); });
      co_await checkpoint();
      open.count_down();
    });
    BOOST_TEST(done);
    pool.close(); // idempotent
    BOOST_CHECK_THROW(co_await to_thread({.pool = &pool}, twice, 1), usage_error);
    BOOST_CHECK_THROW(co_await to_thread({.pool = &pool, .abandon_on_cancel = true}, twice, 1),
                      usage_error);
    BOOST_CHECK_THROW(co_await to_thread([] { return default_thread_pool().size(); }), usage_error);
    thread_pool& own = default_thread_pool();
    BOOST_CHECK_THROW(co_await to_thread([&] { own.close(); }), usage_error);
  });
}

BOOST_AUTO_TEST_CASE(idle_threads_end) {
  run_virtually([]() -> task<> {
    thread_pool pool(8, {.keep_alive = 1ms});
    std::latch all(8);
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 8; ++i)
        n.start_soon(
          [&]() -> task<> { co_await to_thread({.pool = &pool}, [&] { all.arrive_and_wait(); }); });
      co_return;
    });
    BOOST_TEST(pool.running() == 0U);
    while (pool.threads() != 0) // or the test times out
      std::this_thread::yield();
    BOOST_TEST((co_await to_thread({.pool = &pool}, twice, 3)) == 6);
  });
}

BOOST_AUTO_TEST_CASE(ten_thousand_jobs_from_several_loops) {
  for (const unsigned loops : {1U, 3U}) {
    std::atomic<int> sum = 0;
    thread_pool pool(4);
    run_on(loops, [&]() -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        for (unsigned i = 0; i < 10; ++i)
          n.start_on(i, [&]() -> task<> {
            co_await with_nursery([&](nursery& inner) -> task<> {
              for (int k = 0; k < 1000; ++k)
                inner.start_soon([&, k]() -> task<> {
                  thread_options options{.pool = k % 2 ? &pool : nullptr};
                  if (k % 4 == 0)
                    sum += co_await to_thread(twice, 1);
                  else
                    sum += co_await to_thread(options, twice, 1);
                });
              co_return;
            });
          });
        co_return;
      });
      BOOST_TEST(default_thread_pool().threads() <= 40U);
    });
    BOOST_TEST(sum == 20'000);
  }
}

BOOST_AUTO_TEST_CASE(jobs_and_their_cancellation_in_any_order) {
  run_on(2, []() -> task<> {
    thread_pool pool(2, {.keep_alive = 0s}); // threads come and go
    std::atomic<int> ran = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (unsigned i = 0; i < 2; ++i)
        n.start_on(i, [&, i]() -> task<> {
          for (int k = 0; k < 300; ++k)
            co_await with_nursery([&](nursery& inner) -> task<> {
              thread_options options{.pool = &pool, .abandon_on_cancel = (k + i) % 2 == 0};
              for (int j = 0; j < 4; ++j)
                inner.start_soon(
                  [&, options]() -> task<> { co_await to_thread(options, [&ran] { ++ran; }); });
              for (int j = 0; j < k % 5; ++j)
                co_await checkpoint();
              inner.cancel();
            });
        });
      co_return;
    });
    pool.close();
    BOOST_TEST(ran <= 2400);
  });
}

BOOST_AUTO_TEST_CASE(jobs_with_a_limiter_are_not_behind_those_that_wait_for_the_size) {
  run_virtually([]() -> task<> {
    thread_pool& pool = default_thread_pool();
    pool.size(1);
    capacity_limiter own(1);
    std::latch open(1);
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { co_await to_thread([&] { open.wait(); }); });
      n.start_soon([&]() -> task<> { co_await to_thread([] {}); });
      while (pool.waiting() == 0)
        co_await checkpoint();
      const thread_options apart{.limiter = &own};
      co_await to_thread(apart, [&] { open.count_down(); });
    });
    BOOST_TEST(pool.waiting() == 0U);
  });
}

BOOST_AUTO_TEST_CASE(a_pool_may_outlive_the_loops_of_its_jobs) {
  thread_pool pool(2);
  for (int round = 0; round < 200; ++round)
    run_on(1, [&]() -> task<> { // is gone as soon as the thread has said that it is done
      co_await to_thread({.pool = &pool}, [] {});
    });
  BOOST_TEST(pool.running() == 0U);
}

BOOST_AUTO_TEST_CASE(a_pool_closes_while_its_threads_end_by_themselves) {
  run_virtually([]() -> task<> {
    for (int round = 0; round < 500; ++round) {
      thread_pool pool(4, {.keep_alive = 0s});
      std::latch all(4);
      co_await with_nursery([&](nursery& n) -> task<> {
        for (int i = 0; i < 4; ++i)
          n.start_soon([&]() -> task<> {
            co_await to_thread({.pool = &pool}, [&] { all.arrive_and_wait(); });
          });
        co_return;
      });
      pool.close();
      BOOST_TEST(pool.threads() == 0U);
    }
  });
}

BOOST_AUTO_TEST_CASE(the_task_tree_says_that_a_task_waits_for_a_thread) {
  run_virtually([]() -> task<> {
    std::latch open(1);
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon(named(
        "reader", [&]() -> task<> { co_await to_thread({.name = "tape"}, [&] { open.wait(); }); }));
      n.start_soon(named("other", [&]() -> task<> { co_await to_thread([&] { open.wait(); }); }));
      co_await checkpoint();
      const std::string tree = dump_task_tree();
      BOOST_TEST(tree.find("reader: waiting for thread 'tape'") != tree.npos, tree);
      BOOST_TEST(tree.find("other: waiting for a thread") != tree.npos, tree);
      open.count_down();
    });
  });
}

BOOST_AUTO_TEST_SUITE_END()
