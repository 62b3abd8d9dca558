// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <latch>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;

namespace {

task<int> slowly(int x) {
  co_await sleep_for(1s);
  co_return x + 1;
}

task<> forever() { co_await sleep_forever(); }

task<> fail() {
  co_await checkpoint();
  throw std::runtime_error("no luck");
}

} // namespace

BOOST_AUTO_TEST_SUITE(from_threads)

BOOST_AUTO_TEST_CASE(a_coroutine_runs_on_the_loop_of_the_task) {
  run_virtually([]() -> task<> {
    const auto loop = std::this_thread::get_id();
    const int got = co_await to_thread([&] {
      BOOST_TEST((from_thread(std::this_thread::get_id) == loop));
      return from_thread(slowly, 1) + from_thread(slowly, 2)
             + from_thread([](int x) { return x + 1; }, 9);
    });
    BOOST_TEST(got == 15);
    thread_options options{.abandon_on_cancel = true};
    BOOST_TEST((co_await to_thread(options, [] { return from_thread(slowly, 4); })) == 5);
  });
}

BOOST_AUTO_TEST_CASE(virtual_time_goes_on_while_a_thread_waits_for_the_loop) {
  run_virtually([]() -> task<> {
    const auto before = current_time();
    co_await to_thread([] { from_thread([]() -> task<> { co_await sleep_for(1h); }); });
    BOOST_TEST((current_time() == before + 1h));
  });
}

BOOST_AUTO_TEST_CASE(what_it_throws_is_thrown_on_the_thread) {
  run_virtually([]() -> task<> {
    co_await to_thread([] { BOOST_CHECK_THROW(from_thread(fail), std::runtime_error); });
    BOOST_CHECK_THROW(co_await to_thread([] { from_thread(fail); }), std::runtime_error);
  });
}

BOOST_AUTO_TEST_CASE(it_is_a_part_of_the_task) {
  run_virtually([]() -> task<> {
    static const task_local<int> value(0);
    co_await value.with(7, []() -> task<> {
      const int seen = co_await to_thread(
        [] { return from_thread([]() -> task<int> { co_return value.get(); }); });
      BOOST_TEST(seen == 7);
      const auto get = [] { return value.get(); };
      BOOST_TEST((co_await to_thread(get)) == 7);
      thread_options options{.abandon_on_cancel = true};
      BOOST_TEST((co_await to_thread(options, get)) == 7);
    });
    BOOST_TEST((co_await to_thread([] { return value.get(); })) == 0);
    co_await to_thread([] {
      from_thread([]() -> task<> {
        co_await with_nursery([](nursery& n) -> task<> {
          n.start_soon(slowly, 1);
          BOOST_TEST((co_await to_thread([] { return from_thread(slowly, 2); })) == 3);
        });
      });
    });
  });
}

BOOST_AUTO_TEST_CASE(cancellation_of_the_task_reaches_it_and_the_await_does_not_come_back) {
  for (const bool abandonable : {false, true})
    run_virtually([&]() -> task<> {
      std::atomic<bool> caught = false;
      std::atomic<bool> closed = false;
      bool came_back = false;
      std::latch over(1);
      event began;
      const bool finished = co_await with_cancel_scope([&](cancel_scope& scope) -> task<> {
        co_await with_nursery([&](nursery& n) -> task<> {
          n.start_soon([&]() -> task<> {
            co_await began.wait();
            scope.cancel();
          });
          thread_options options{.abandon_on_cancel = abandonable};
          co_await to_thread(options, [&] {
            struct leave {
              std::latch& l;
              ~leave() { l.count_down(); }
            } at_end{over};
            try {
              from_thread([&]() -> task<> {
                struct closer {
                  std::atomic<bool>& c;
                  ~closer() { c = true; }
                } c{closed};
                began.set();
                co_await forever();
              });
            } catch (const task_cancelled&) {
              BOOST_TEST(closed.load());
              BOOST_CHECK_THROW(from_thread_check_cancelled(), task_cancelled);
              BOOST_CHECK_THROW(from_thread(slowly, 1), task_cancelled);
              caught = true;
              throw;
            }
          });
          came_back = true;
        });
      });
      over.wait();
      BOOST_TEST(caught.load());
      BOOST_TEST(!finished);
      BOOST_TEST(!came_back);
    });
}

BOOST_AUTO_TEST_CASE(a_function_that_takes_the_cancellation_for_itself_delivers_its_result) {
  run_virtually([]() -> task<> {
    int result = 0;
    bool went_past = false;
    const bool finished = co_await move_on_after(1s, [&]() -> task<> {
      result = co_await to_thread([] {
        try {
          from_thread(forever);
        } catch (const task_cancelled&) {
          return 2;
        }
        return 1;
      });
      co_await checkpoint();
      went_past = true;
    });
    BOOST_TEST(!finished);
    BOOST_TEST(result == 2);
    BOOST_TEST(!went_past);
  });
}

BOOST_AUTO_TEST_CASE(a_function_asks_whether_it_is_cancelled) {
  run_virtually([]() -> task<> {
    std::latch began(1);
    std::atomic<bool> threw = false;
    bool came_back = false;
    co_await with_nursery([&](nursery& n) -> task<> {
      auto h = n.start_soon([&]() -> task<> {
        co_await to_thread([&] {
          from_thread_check_cancelled(); // not yet
          began.count_down();
          try {
            for (;;)
              from_thread_check_cancelled();
          } catch (const task_cancelled&) {
            threw = true;
            throw;
          }
        });
        came_back = true;
      });
      co_await checkpoint();
      began.wait();
      h.cancel();
    });
    BOOST_TEST(threw.load());
    BOOST_TEST(!came_back);
  });
}

BOOST_AUTO_TEST_CASE(a_scope_inside_of_the_coroutine_ends_there) {
  run_virtually([]() -> task<> {
    co_await to_thread([] {
      const bool in_time = from_thread([]() -> task<bool> {
        co_return co_await move_on_after(1s, []() -> task<> { co_await forever(); });
      });
      BOOST_TEST(!in_time);
      from_thread_check_cancelled();
    });
  });
}

BOOST_AUTO_TEST_CASE(cancelled_in_any_step_nothing_hangs) {
  run(run_options{.loops = 2}, []() -> task<> {
    for (int k = 0; k < 200; ++k)
      co_await with_nursery([&](nursery& n) -> task<> {
        for (const bool abandonable : {false, true}) {
          thread_options options{.abandon_on_cancel = abandonable};
          n.start_soon([options]() -> task<> {
            co_await to_thread(options, [] {
              for (int i = 0; i < 5; ++i)
                from_thread([]() -> task<> { co_await checkpoint(); });
            });
          });
        }
        for (int i = 0; i < k % 20; ++i)
          co_await checkpoint();
        n.cancel();
      });
  });
}

BOOST_AUTO_TEST_CASE(a_pool_closes_on_the_loop_that_its_abandoned_job_asks) {
  run(run_options{.loops = 1}, []() -> task<> {
    for (int k = 0; k < 200; ++k)
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([]() -> task<> {
          thread_pool pool(1); // ends with this frame, on the loop
          thread_options options{.pool = &pool, .abandon_on_cancel = true};
          co_await to_thread(options, [] {
            for (;;)
              from_thread([] {});
          });
        });
        for (int i = 0; i < k; ++i)
          co_await checkpoint();
        n.cancel();
      });
  });
}

BOOST_AUTO_TEST_CASE(other_threads_use_a_token) {
  std::optional<loop_token> outer;
  run_virtually([&]() -> task<> {
    std::thread foreign;
    co_await with_nursery([&](nursery& n) -> task<> {
      event done;
      const loop_token token(n);
      outer = token;
      foreign = std::thread([&, token] {
        BOOST_CHECK_THROW(from_thread(slowly, 1), usage_error);
        BOOST_CHECK_THROW(from_thread_check_cancelled(), usage_error);
        BOOST_TEST(from_thread(token, slowly, 1) == 2);
        BOOST_CHECK_THROW(from_thread(token, fail), std::runtime_error); // not the nursery's
        const std::string tree = from_thread(token, named("visitor", dump_task_tree));
        BOOST_TEST(tree.find("visitor: running") != tree.npos, tree);
        from_thread(token, [&done] { done.set(); });
      });
      co_await done.wait();
    });
    foreign.join();
  });
  BOOST_CHECK_THROW(from_thread(*outer, slowly, 1), nursery_closed);
}

BOOST_AUTO_TEST_CASE(cancelling_the_nursery_of_a_token_reaches_those_who_wait) {
  run(run_options{.loops = 1}, []() -> task<> {
    std::atomic<int> cancelled = 0;
    std::vector<std::thread> foreign;
    co_await with_nursery([&](nursery& n) -> task<> {
      const loop_token token(n);
      for (int i = 0; i < 3; ++i)
        foreign.emplace_back([&, token] {
          try {
            from_thread(token, forever);
          } catch (const task_cancelled&) {
            ++cancelled;
          }
        });
      while (n.size() != 3)
        co_await checkpoint();
      n.cancel();
    });
    for (auto& t : foreign)
      t.join();
    BOOST_TEST(cancelled == 3);
  });
}

BOOST_AUTO_TEST_CASE(threads_that_race_with_the_end_of_the_nursery_get_an_answer) {
  for (int k = 0; k < 50; ++k) {
    std::vector<std::thread> foreign;
    std::atomic<int> answers = 0;
    run(run_options{.loops = 2}, [&]() -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        const loop_token token(n);
        for (int i = 0; i < 2; ++i)
          foreign.emplace_back([&, token] {
            try {
              for (;;)
                from_thread(token, []() -> task<> { co_await checkpoint(); });
            } catch (const nursery_closed&) {
              ++answers;
            } catch (const task_cancelled&) {
              ++answers;
            }
          });
        while (n.size() == 0)
          co_await checkpoint();
        if (k % 2)
          n.cancel();
      });
    });
    for (auto& t : foreign)
      t.join();
    BOOST_TEST(answers == 2);
  }
}

BOOST_AUTO_TEST_CASE(on_a_loop_it_is_refused) {
  run_virtually([]() -> task<> {
    BOOST_CHECK_THROW(from_thread(slowly, 1), usage_error);
    BOOST_CHECK_THROW(from_thread_check_cancelled(), usage_error);
    co_await with_nursery([](nursery& n) -> task<> {
      const loop_token token(n);
      BOOST_CHECK_THROW(from_thread(token, slowly, 1), usage_error);
      co_return;
    });
  });
}

BOOST_AUTO_TEST_SUITE_END()
