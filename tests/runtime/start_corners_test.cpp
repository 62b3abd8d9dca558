// SPDX-License-Identifier: BSD-3-Clause
// The handshake of start() where it is least expected.

#include "support/at_end.hpp"

#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <memory>
#include <stdexcept>
#include <string>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;
using troupe_test::at_end;

BOOST_AUTO_TEST_SUITE(start_corners)

BOOST_AUTO_TEST_CASE(a_start_whose_function_throws_before_it_is_a_coroutine_leaves_nothing) {
  run_virtually([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      auto bad = [](task_status<>&) -> task<> { throw std::domain_error("no coroutine"); };
      BOOST_CHECK_THROW(co_await n.start(bad), std::domain_error);
      BOOST_TEST(n.size() == 0U);
      auto worse = []() -> task<> { throw std::domain_error("no coroutine"); };
      BOOST_CHECK_THROW(n.start_soon(worse), std::domain_error);
      BOOST_CHECK_THROW(n.start_on(0, worse), std::domain_error);
      BOOST_TEST(n.size() == 0U);
      co_await checkpoint();
    });
  });
}

BOOST_AUTO_TEST_CASE(p07_start_in_a_cancelled_nursery) {
  run_virtually([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      n.cancel();
      co_await shielded([&]() -> task<> {
        // ready before its first checkpoint: that is a start
        int got = co_await n.start([](task_status<int>& status) -> task<> {
          status.started(4);
          co_await checkpoint();
          BOOST_ERROR("it is cancelled");
        });
        BOOST_TEST(got == 4);
        BOOST_CHECK_THROW(co_await n.start([](task_status<>& status) -> task<> {
          co_await checkpoint();
          status.started();
        }),
                          start_error);
      });
    });
  });
}

BOOST_AUTO_TEST_CASE(p07_a_nursery_cancelled_during_the_handshake_ends_it) {
  run_virtually([]() -> task<> {
    std::string log;
    co_await with_nursery([&](nursery& outer) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        outer.start_soon([&]() -> task<> {
          try {
            co_await n.start([&](task_status<>& status) -> task<> {
              at_end e{log, 'c'};
              co_await sleep_forever();
              status.started();
            });
            log += '!';
          } catch (const start_error&) {
            log += 's';
          }
        });
        co_await sleep_for(1s);
        n.cancel();
      });
      log += 'n';
      co_await sleep_for(1s);
    });
    BOOST_TEST(log == "csn");
  });
}

BOOST_AUTO_TEST_CASE(p01_a_start_keeps_the_nursery_open) {
  run_virtually([]() -> task<> {
    const auto begin = current_time();
    bool started = false;
    co_await with_nursery([&](nursery& outer) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        outer.start_soon([&]() -> task<> {
          co_await n.start([](task_status<>& status) -> task<> {
            co_await sleep_for(1s);
            status.started();
            co_await sleep_for(1s);
          });
          started = true;
        });
        co_await checkpoint(); // the body ends in the middle of the handshake
      });
      BOOST_TEST(started);
      BOOST_TEST((current_time() - begin == 2s));
    });
  });
}

BOOST_AUTO_TEST_CASE(p03_a_start_that_fails_as_the_caller_is_cancelled_delivers_the_failure) {
  run_virtually([]() -> task<> {
    bool caught = false;
    co_await with_nursery([&](nursery& n) -> task<> {
      co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
        try {
          co_await n.start([&](task_status<>&) -> task<> {
            co_await checkpoint();
            s.cancel();
            throw std::domain_error("first");
          });
        } catch (const std::domain_error&) {
          caught = true;
        }
      });
    });
    BOOST_TEST(caught);
  });
}

BOOST_AUTO_TEST_CASE(p04_start_in_a_cancelled_scope_starts_nothing) {
  run_virtually([]() -> task<> {
    bool began = false;
    co_await with_nursery([&](nursery& n) -> task<> {
      BOOST_TEST(!co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
        s.cancel();
        co_await n.start([&](task_status<>& status) -> task<> {
          began = true;
          status.started();
          co_return;
        });
      }));
    });
    BOOST_TEST(!began);
  });
}

BOOST_AUTO_TEST_CASE(p07_a_child_that_fails_keeps_the_nursery_open_until_then) {
  run_virtually([]() -> task<> {
    const auto begin = current_time();
    bool caught = false;
    co_await with_nursery([&](nursery& outer) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        outer.start_soon([&]() -> task<> {
          BOOST_CHECK_THROW(co_await n.start([](task_status<>&) -> task<> {
            co_await sleep_for(7s);
            throw std::domain_error("after all");
          }),
                            std::domain_error);
          caught = true;
        });
        co_await checkpoint();
      });
      BOOST_TEST((current_time() - begin == 7s));
    });
    BOOST_TEST(caught);
  });
}

BOOST_AUTO_TEST_CASE(p07_several_starts_can_go_on_at_once) {
  run_virtually([]() -> task<> {
    const auto begin = current_time();
    co_await with_nursery([&](nursery& n) -> task<> {
      auto child = [](task_status<int>& status, int s) -> task<> {
        co_await sleep_for(std::chrono::seconds(s));
        status.started(s);
        co_await sleep_for(std::chrono::seconds(s));
      };
      auto start = [&](int s) -> task<int> { co_return co_await n.start(child, s); };
      const auto [two, three] = co_await gather(start(2), start(3));
      BOOST_TEST(two == 2);
      BOOST_TEST(three == 3);
      BOOST_TEST((current_time() - begin == 3s));
    });
    BOOST_TEST((current_time() - begin == 6s));
  });
}

BOOST_AUTO_TEST_CASE(p03_a_shielded_handshake_succeeds_although_the_caller_is_cancelled) {
  run_virtually([]() -> task<> {
    const auto begin = current_time();
    int got = 0;
    bool cut_off = true;
    co_await with_nursery([&](nursery& n) -> task<> {
      co_await move_on_after(1s, [&]() -> task<> {
        got = co_await n.start([&](task_status<int>& status) -> task<> {
          co_await shielded([]() -> task<> { co_await sleep_for(5s); });
          status.started(5);
          co_await checkpoint(); // it was told to end, and does now
          cut_off = false;
        });
        BOOST_TEST((current_time() - begin == 5s));
        co_await checkpoint();
        got = -1;
      });
    });
    BOOST_TEST(got == 5);
    BOOST_TEST(cut_off);
  });
}

BOOST_AUTO_TEST_CASE(a_value_that_can_only_be_moved_comes_through) {
  run_virtually([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      auto p = co_await n.start([](task_status<std::unique_ptr<int>>& status) -> task<> {
        status.started(std::make_unique<int>(4));
        co_return;
      });
      BOOST_TEST(*p == 4);
    });
  });
}

BOOST_AUTO_TEST_CASE(p03_a_slow_end_of_a_wait_goes_on_though_a_shield_is_raised) {
  run_virtually([]() -> task<> {
    std::string log;
    const bool outer = co_await with_cancel_scope([&](cancel_scope& outer1) -> task<> {
      co_await with_cancel_scope([&](cancel_scope& outer2) -> task<> {
        co_await with_nursery([&](nursery& n) -> task<> {
          n.start_soon([&]() -> task<> {
            at_end e{log, 'e'};
            // waits for the child's clean-up when it is cancelled
            co_await n.start([&](task_status<>&) -> task<> {
              co_await with_cleanup([]() -> task<> { co_await sleep_forever(); },
                                    [&]() -> task<> {
                                      log += 'c';
                                      co_await sleep_for(1s);
                                    });
            });
            log += '!';
          });
          co_await checkpoint();
          co_await checkpoint();
          outer1.cancel();
          outer2.cancel();
          n.scope().shield(true);
          co_await sleep_for(500ms);
          BOOST_TEST(log == "c");
        });
        log += '!';
      });
      log += '!';
    });
    BOOST_TEST(!outer);
    BOOST_TEST(log == "ce");
  });
}

BOOST_AUTO_TEST_SUITE_END()
