// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/troupe.hpp>

#include "support/children.hpp"

#include <boost/test/unit_test.hpp>

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <string>
#include <system_error>
#include <type_traits>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe_test::open_descriptors;

static_assert(!std::is_move_constructible_v<signal_receiver>);

namespace {

std::atomic<int> own_handler_calls{0};
void own_handler(int) { ++own_handler_calls; }

/// What a signal does now.
auto disposition(int number) {
  struct sigaction now {};
  ::sigaction(number, nullptr, &now);
  return now.sa_handler;
}

/// To this thread: it has been heard when this returns.
void send(int number) { ::raise(number); }

} // namespace

BOOST_AUTO_TEST_SUITE(signals)

BOOST_AUTO_TEST_CASE(a_signal_reaches_the_task_that_waits) {
  run([]() -> task<> {
    signal_receiver signals({SIGHUP, SIGUSR1});
    co_await with_nursery([&](nursery& n) -> task<> {
      auto waiting = n.start_soon([&]() -> task<int> { co_return co_await signals.next(); });
      co_await checkpoint();
      co_await checkpoint();
      BOOST_TEST(!waiting.done());
      ::kill(::getpid(), SIGUSR1); // to any thread
      BOOST_TEST(co_await waiting == SIGUSR1);
    });
    send(SIGHUP);
    BOOST_TEST(co_await signals.next() == SIGHUP);
  });
}

BOOST_AUTO_TEST_CASE(signals_that_nobody_waits_for_are_kept_once_a_number) {
  run([]() -> task<> {
    signal_receiver signals({SIGUSR1, SIGUSR2, SIGUSR1});
    for (int i = 0; i < 3; ++i)
      send(SIGUSR1);
    send(SIGUSR2);
    std::vector<int> heard;
    for (int i = 0; i < 2; ++i)
      heard.push_back(co_await signals.next());
    BOOST_TEST(heard.front() + heard.back() == SIGUSR1 + SIGUSR2);
    send(heard.front());
    BOOST_TEST(co_await signals.next() == heard.front());
  });
}

BOOST_AUTO_TEST_CASE(of_several_signals_none_is_passed_over) {
  run([]() -> task<> {
    signal_receiver signals({SIGUSR1, SIGUSR2});
    int last = 0;
    for (int i = 0; i < 10; ++i) {
      send(SIGUSR1);
      send(SIGUSR2);
      const int number = co_await signals.next();
      BOOST_TEST(number != last);
      last = number;
    }
  });
}

BOOST_AUTO_TEST_CASE(each_of_several_receivers_on_several_loops_hears_it) {
  run(run_options{.loops = 2}, []() -> task<> {
    std::atomic<int> ready{0};
    std::atomic<int> heard{0};
    const auto listen = [](std::atomic<int>& up, std::atomic<int>& count) -> task<> {
      signal_receiver one({SIGUSR1});
      signal_receiver two({SIGUSR1, SIGUSR2});
      ++up;
      count += co_await one.next();
      count += co_await two.next();
    };
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_on(0, listen, std::ref(ready), std::ref(heard));
      n.start_on(1, listen, std::ref(ready), std::ref(heard));
      while (ready != 2)
        co_await checkpoint();
      send(SIGUSR1);
    });
    BOOST_TEST(heard == 4 * SIGUSR1);
  });
}

BOOST_AUTO_TEST_CASE(what_was_there_before_comes_back_with_the_last_receiver) {
  ::signal(SIGUSR1, own_handler);
  ::signal(SIGUSR2, SIG_IGN); // NOLINT
  own_handler_calls = 0;
  run([]() -> task<> {
    BOOST_TEST(disposition(SIGHUP) == SIG_DFL);
    {
      signal_receiver outer({SIGHUP, SIGUSR1});
      {
        signal_receiver inner({SIGHUP, SIGUSR2});
        BOOST_TEST(disposition(SIGUSR2) != SIG_IGN);
      }
      BOOST_TEST(disposition(SIGUSR2) == SIG_IGN);
      BOOST_TEST(disposition(SIGHUP) != SIG_DFL);
      send(SIGUSR1);
      BOOST_TEST(co_await outer.next() == SIGUSR1);
      BOOST_TEST(own_handler_calls == 1);
    }
    BOOST_TEST(disposition(SIGHUP) == SIG_DFL);
  });
  BOOST_TEST(disposition(SIGUSR1) == own_handler);
  ::signal(SIGUSR1, SIG_DFL); // NOLINT
  ::signal(SIGUSR2, SIG_DFL); // NOLINT
}

BOOST_AUTO_TEST_CASE(a_handler_installed_meanwhile_is_left_alone) {
  run([]() -> task<> {
    {
      signal_receiver signals({SIGUSR1});
      ::signal(SIGUSR1, own_handler);
    }
    BOOST_TEST(disposition(SIGUSR1) == own_handler);
    co_return;
  });
  ::signal(SIGUSR1, SIG_DFL); // NOLINT
}

BOOST_AUTO_TEST_CASE(p03_cancelled_wait_has_taken_no_signal) {
  run([]() -> task<> {
    signal_receiver signals({SIGUSR1});
    for (int i = 0; i < 3; ++i)
      co_await with_nursery([&](nursery& n) -> task<> {
        auto waiting = n.start_soon([&]() -> task<> { co_await signals.next(); });
        co_await checkpoint();
        co_await checkpoint();
        waiting.cancel();
      });
    send(SIGUSR1);
    co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      s.cancel();
      co_await signals.next();
      BOOST_ERROR("it came back");
    });
    BOOST_TEST(co_await signals.next() == SIGUSR1);
  });
}

BOOST_AUTO_TEST_CASE(p04_p06_a_signal_may_come_at_any_moment) {
  run([]() -> task<> {
    for (int i = 0; i < 300; ++i) {
      signal_receiver signals({SIGUSR1});
      co_await with_nursery([&](nursery& n) -> task<> {
        auto waiting = n.start_soon([&]() -> task<int> { co_return co_await signals.next(); });
        for (int k = 0; k < i % 4; ++k)
          co_await checkpoint();
        send(SIGUSR1);
        if (i % 3 == 0) {
          waiting.cancel();
          while (!waiting.done())
            co_await checkpoint();
        } else {
          BOOST_TEST(co_await waiting == SIGUSR1);
        }
      });
    }
  });
}

BOOST_AUTO_TEST_CASE(main_is_still_cancelled_by_a_signal_that_a_receiver_hears) {
  int heard = 0;
  BOOST_CHECK_THROW(run(run_options{.handle_signals = true},
                        [&]() -> task<> {
                          signal_receiver signals({SIGTERM});
                          send(SIGTERM);
                          heard = co_await shielded(
                            [&]() -> task<int> { co_return co_await signals.next(); });
                          co_await sleep_forever();
                        }),
                    task_cancelled);
  BOOST_TEST(heard == SIGTERM);
  BOOST_TEST(disposition(SIGTERM) == SIG_DFL);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_heard_is_an_error_that_names_it) {
  run([]() -> task<> {
    BOOST_CHECK_EXCEPTION(signal_receiver({SIGUSR1, SIGKILL}), std::system_error, [](auto& e) {
      return std::string(e.what()).find("cannot hear signal 9") != std::string::npos;
    });
    BOOST_TEST(disposition(SIGUSR1) == SIG_DFL);
    BOOST_CHECK_THROW(signal_receiver({0}), std::system_error);
    BOOST_CHECK_THROW(signal_receiver({100}), std::system_error);
    BOOST_CHECK_THROW(signal_receiver({SIGSEGV}), usage_error);
    BOOST_CHECK_THROW(signal_receiver({}), usage_error);
    co_return;
  });
  BOOST_CHECK_THROW(signal_receiver({SIGUSR1}), usage_error);
}

BOOST_AUTO_TEST_CASE(two_tasks_cannot_wait_in_one_receiver) {
  run([]() -> task<> {
    signal_receiver signals({SIGUSR1});
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { co_await signals.next(); });
      co_await checkpoint();
      co_await checkpoint();
      try {
        co_await signals.next();
        BOOST_ERROR("no error");
      } catch (const usage_error& e) {
        BOOST_TEST(std::string(e.what()).find("another task") != std::string::npos);
      }
      n.cancel();
    });
  });
}

BOOST_AUTO_TEST_CASE(p09_receivers_leave_no_descriptor_behind) {
  run([]() -> task<> {
    { signal_receiver first({SIGUSR1}); }
    const auto before = open_descriptors();
    for (int i = 0; i < 100; ++i)
      signal_receiver again({SIGUSR1, SIGUSR2});
    BOOST_TEST(open_descriptors() == before);
    co_return;
  });
}

BOOST_AUTO_TEST_SUITE_END()
