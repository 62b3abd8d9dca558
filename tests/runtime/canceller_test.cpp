// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <optional>
#include <thread>

using namespace troupe;

BOOST_AUTO_TEST_SUITE(canceller_suite)

BOOST_AUTO_TEST_CASE(p06_another_thread_cancels_a_scope) {
  run([]() -> task<> {
    std::thread other;
    const bool ended = co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      other = std::thread([c = s.remote()] { c.cancel("from a thread"); });
      co_await sleep_forever();
    });
    other.join();
    BOOST_TEST(!ended);
  });
}

BOOST_AUTO_TEST_CASE(p06_a_task_on_another_loop_cancels_a_scope_and_says_why) {
  run(run_options{.loops = 2}, []() -> task<> {
    co_await with_nursery([](nursery& outer) -> task<> {
      std::string why;
      co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
        outer.start_on(
          1,
          [](canceller c) -> task<> {
            c.cancel("from loop 1");
            c.cancel("once more");
            co_return;
          },
          s.remote());
        struct ask {
          std::string& into;
          ~ask() {
            if (const cancel_reason* r = current_cancel_reason())
              into = r->message;
          }
        } at_the_end{why};
        co_await sleep_forever();
      });
      BOOST_TEST(why == "from loop 1");
    });
  });
}

BOOST_AUTO_TEST_CASE(a_canceller_that_outlives_its_scope_does_nothing) {
  run([]() -> task<> {
    std::optional<canceller> late;
    co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      late = s.remote();
      co_return;
    });
    late->cancel();
    co_await checkpoint();
    BOOST_TEST(!is_cancelled());
  });
}

BOOST_AUTO_TEST_CASE(p06_many_threads_race_the_end_of_the_scope) {
  run([]() -> task<> {
    for (int round = 0; round < 50; ++round) {
      std::vector<std::thread> others;
      co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
        for (int i = 0; i < 4; ++i)
          others.emplace_back([c = s.remote()] { c.cancel(); });
        if (round % 2 == 0)
          co_await sleep_forever();
        else
          co_await checkpoint();
      });
      for (auto& t : others)
        t.join();
    }
  });
}

BOOST_AUTO_TEST_SUITE_END()
