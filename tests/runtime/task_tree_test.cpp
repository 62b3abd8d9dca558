// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

/// Starts, cancels, fails and ends tasks below itself until told to stop.
task<> churn(std::atomic<bool>& on, unsigned loops) {
  for (unsigned round = 0; on; ++round) {
    co_await move_on_after(100us, [round, loops]() -> task<> {
      co_await with_nursery([round, loops](nursery& n) -> task<> {
        const auto leaf = []() -> task<> {
          co_await checkpoint();
          co_await sleep_for(1us);
        };
        n.on_error<std::runtime_error>([](const std::runtime_error&) {});
        n.start_soon(named("a leaf with a long name", leaf));
        n.start_soon([leaf]() -> task<> { co_await shielded(leaf); });
        n.start_soon([leaf]() -> task<> { co_await with_cleanup(leaf, leaf); });
        n.start_soon([]() -> task<> {
          co_await checkpoint();
          throw std::runtime_error("now and then");
        });
        n.start_service([]() -> task<> { co_await stopping(); });
        n.start_on(round % loops, leaf);
        auto cancelled = n.start_soon([]() -> task<> { co_await sleep_forever(); });
        co_await checkpoint();
        cancelled.cancel();
        if (round % 3 == 0)
          n.cancel("every third");
        if (round % 5 == 0)
          n.stop(1us);
      });
    });
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(task_tree_suite)

BOOST_AUTO_TEST_CASE(p27_threads_may_dump_while_trees_change) {
  constexpr unsigned loops = 3;
  constexpr int dumps = 100;
  std::atomic<bool> on{true};
  std::vector<std::size_t> longest(2);
  run_options options;
  options.loops = loops;
  run(options, [&]() -> task<> {
    std::vector<std::thread> askers;
    for (auto& most : longest)
      askers.emplace_back([&most] {
        for (int i = 0; i < dumps; ++i)
          most = std::max(most, dump_task_tree().size());
      });
    std::thread end([&] {
      for (auto& t : askers)
        t.join();
      on = false;
    });
    co_await with_nursery([&](nursery& n) -> task<> {
      for (unsigned i = 0; i < loops; ++i)
        for (int twice = 0; twice < 2; ++twice)
          n.start_on(i, churn, std::ref(on), loops);
      co_return;
    });
    end.join();
  });
  for (const auto most : longest)
    BOOST_TEST(most > 200U);
}

BOOST_AUTO_TEST_CASE(p27_tasks_may_dump_at_any_point_of_their_lives) {
  // From destructors, clean-ups, handlers and the like, on one loop.
  static int dumps = 0;
  struct dumps_at_the_end {
    ~dumps_at_the_end() { dumps += dump_task_tree().find("loop 0") == 0 ? 1 : 0; }
  };
  troupe::testing::run_virtually([]() -> task<> {
    const dumps_at_the_end root;
    co_await with_nursery([](nursery& n) -> task<> {
      const dumps_at_the_end body;
      n.on_error<std::runtime_error>([](const std::runtime_error&) { dumps_at_the_end(); });
      n.start_soon([arg = dumps_at_the_end()]() -> task<> {
        const dumps_at_the_end child;
        co_await sleep_forever();
      });
      n.start_soon([]() -> task<> {
        co_await with_cleanup(
          []() -> task<> {
            const dumps_at_the_end here;
            co_await sleep_forever();
          },
          []() -> task<> {
            const dumps_at_the_end here;
            co_await sleep_for(1us);
          });
      });
      n.start_soon([]() -> task<> {
        const dumps_at_the_end here;
        co_await checkpoint();
        throw std::runtime_error("to be handled");
      });
      co_await sleep_for(1us);
      n.cancel();
      co_await sleep_forever();
    });
  });
  BOOST_TEST(dumps >= 7);
}

BOOST_AUTO_TEST_CASE(p27_dump_says_who_waits_for_what_and_why_it_is_cancelled) {
  troupe::testing::run_virtually([]() -> task<> {
    std::string text;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon(named("sleeper", []() -> task<> { co_await sleep_for(2s); }));
      n.start_soon(named("stubborn", []() -> task<> {
        co_await shielded([]() -> task<> { co_await sleep_for(1s); });
      }));
      n.start_service(named("asker",
                            [](std::string& into) -> task<> {
                              co_await sleep_for(1ms);
                              into = dump_task_tree();
                            }),
                      std::ref(text));
      co_await sleep_for(1us);
      n.scope().deadline(current_time() + 5s);
    });
    BOOST_TEST(text.find("sleeper: waiting for sleep (1.999 s)") != std::string::npos, text);
    BOOST_TEST(text.find("deadline in 4.999 s") != std::string::npos, text);
    BOOST_TEST(text.find("asker: running, service") != std::string::npos, text);
    BOOST_TEST(text.find("waiting for children") != std::string::npos, text);
  });
}

BOOST_AUTO_TEST_CASE(p27_dump_outside_of_all_runtimes_is_empty) {
  BOOST_TEST(dump_task_tree() == "");
}

BOOST_AUTO_TEST_SUITE_END()
