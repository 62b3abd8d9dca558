// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <future>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;

BOOST_AUTO_TEST_SUITE(run_suite)

BOOST_AUTO_TEST_CASE(run_gives_the_result_and_throws_the_failure_of_the_root) {
  BOOST_TEST(run_virtually([]() -> task<int> { co_return 8; }) == 8);
  BOOST_TEST(run(
               run_options{.loops = 1}, [](int x) -> task<int> { co_return x; }, 9)
             == 9);
  BOOST_CHECK_THROW(run_virtually([]() -> task<> {
                      throw std::runtime_error("17");
                      co_return;
                    }),
                    std::runtime_error);
}

BOOST_AUTO_TEST_CASE(run_inside_of_a_task_is_refused) {
  run_virtually([]() -> task<> {
    BOOST_CHECK_THROW(run(run_options{.loops = 1}, []() -> task<> { co_return; }), usage_error);
    co_return;
  });
}

BOOST_AUTO_TEST_CASE(what_needs_a_task_says_so_outside_of_one) {
  BOOST_CHECK_THROW(static_cast<void>(is_cancelled()), usage_error);
  BOOST_CHECK_THROW(static_cast<void>(current_effective_deadline()), usage_error);
  BOOST_CHECK_THROW(static_cast<void>(current_cancel_reason()), usage_error);
  BOOST_CHECK_THROW(static_cast<void>(is_stopping()), usage_error);
  BOOST_TEST(dump_task_tree().empty());
}

/// What is written to std::cerr while this lives.
struct caught_stderr {
  std::ostringstream text;
  std::streambuf* before = std::cerr.rdbuf(text.rdbuf());
  ~caught_stderr() { std::cerr.rdbuf(before); }
};

BOOST_AUTO_TEST_CASE(p01_a_watchdog_names_the_tasks_that_keep_a_nursery_open) {
  const caught_stderr err;
  run_virtually([]() -> task<> {
    nursery_options options{.name = "garden", .watchdog = 10s};
    co_await with_nursery(options, [](nursery& n) -> task<> {
      n.start_soon(named("gone by then", []() -> task<> { co_await sleep_for(3s); }));
      n.start_soon(named("parent", []() -> task<> {
        co_await with_nursery([](nursery& inner) -> task<> {
          inner.start_soon(named("sleeper", []() -> task<> { co_await sleep_for(25s); }));
          co_return;
        });
      }));
      co_await sleep_for(1s); // the watch begins when the body has ended
    });
  });
  const std::string said = err.text.str();
  // after 11 s and after 21 s
  std::size_t times = 0;
  for (auto at = said.find("nursery 'garden' has not ended; 1 tasks"); at != said.npos;
       at = said.find("nursery 'garden'", at + 1))
    ++times;
  BOOST_TEST(times == 2U);
  BOOST_TEST(said.find("parent: waiting for children") != said.npos);
  BOOST_TEST(said.find("sleeper: waiting for sleep (14.000 s)") != said.npos);
  BOOST_TEST(said.find("sleeper: waiting for sleep (4.000 s)") != said.npos);
  BOOST_TEST(said.find("gone by then") == said.npos);
}

BOOST_AUTO_TEST_CASE(p01_a_watchdog_says_nothing_of_a_nursery_that_ends_in_time) {
  const caught_stderr err;
  run_virtually([]() -> task<> {
    nursery_options options{.watchdog = 10s};
    co_await with_nursery(options, [](nursery& n) -> task<> {
      n.start_soon([]() -> task<> { co_await sleep_for(9s); });
      co_return;
    });
    co_await sleep_for(1h);
  });
  BOOST_TEST(err.text.str().empty());
}

BOOST_AUTO_TEST_CASE(p27_the_task_tree_can_be_had_from_a_thread_that_is_no_loop) {
  run(run_options{.loops = 2}, []() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      n.start_on(1, named("over there", []() -> task<> { co_await sleep_forever(); }));
      n.start_soon(named("over here", []() -> task<> { co_await sleep_forever(); }));
      auto arrived = n.start_on(1, []() -> task<> { co_return; });
      co_await arrived; // messages to a loop arrive in their order
      auto answer = std::async(std::launch::async, [] { return dump_task_tree(); });
      while (answer.wait_for(0s) != std::future_status::ready)
        co_await checkpoint();
      const std::string tree = answer.get();
      BOOST_TEST(tree.find("loop 0") < tree.find("over here: waiting for sleep"));
      BOOST_TEST(tree.find("over there: waiting for its end on another loop") != tree.npos);
      BOOST_TEST(tree.find("loop 1") < tree.rfind("over there: waiting for sleep"));
      n.cancel();
    });
  });
}

BOOST_AUTO_TEST_CASE(p27_the_task_tree_can_be_had_in_the_middle_of_unwinding) {
  run_virtually([]() -> task<> {
    std::string tree;
    struct look {
      std::string& into;
      ~look() { into = dump_task_tree(); }
    };
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon(named("dying", [&]() -> task<> {
        co_await with_cancel_scope([&](cancel_scope&) -> task<> {
          co_await with_nursery([&](nursery& inner) -> task<> {
            inner.start_soon(named("grandchild", []() -> task<> { co_await sleep_forever(); }));
            look l{tree};
            co_await sleep_forever();
          });
        });
      }));
      co_await checkpoint();
      co_await checkpoint();
      n.cancel("enough");
    });
    BOOST_TEST(tree.find("dying: running") != tree.npos);
    BOOST_TEST(tree.find("grandchild: being cancelled") != tree.npos);
    BOOST_TEST(tree.find("cancelled: requested: enough") != tree.npos);
  });
}

BOOST_AUTO_TEST_SUITE_END()
