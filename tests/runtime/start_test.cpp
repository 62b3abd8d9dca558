// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <stdexcept>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;

BOOST_AUTO_TEST_SUITE(start_suite)

BOOST_AUTO_TEST_CASE(p07_returns_when_the_child_is_ready_with_its_value) {
  run_virtually([]() -> task<> {
    const auto begin = current_time();
    bool ended = false;
    co_await with_nursery([&](nursery& n) -> task<> {
      int port = co_await n.start(
        [&](task_status<int>& status, int base) -> task<> {
          co_await sleep_for(1s);
          status.started(base + 1);
          co_await sleep_for(1s);
          ended = true;
        },
        8000);
      BOOST_TEST(port == 8001);
      BOOST_TEST((current_time() - begin == 1s));
      BOOST_TEST(!ended);
    });
    BOOST_TEST(ended);
  });
}

BOOST_AUTO_TEST_CASE(p07_throws_the_childs_own_error_and_the_nursery_does_not_hear_of_it) {
  run_virtually([]() -> task<> {
    bool caught = false;
    co_await with_nursery([&](nursery& n) -> task<> {
      try {
        co_await n.start([](task_status<>&) -> task<> {
          co_await checkpoint();
          throw std::domain_error("no");
        });
      } catch (const std::domain_error&) {
        caught = true;
      }
      co_await checkpoint(); // not cancelled
    });
    BOOST_TEST(caught);
  });
}

BOOST_AUTO_TEST_CASE(p07_a_child_that_just_ends_is_an_error) {
  run_virtually([]() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      BOOST_CHECK_THROW(co_await n.start([](task_status<>&) -> task<> { co_await checkpoint(); }),
                        start_error);
    });
  });
}

BOOST_AUTO_TEST_CASE(p07_cancelling_the_caller_before_it_is_ready_ends_the_child) {
  run_virtually([]() -> task<> {
    bool cleaned = false;
    co_await with_nursery([&](nursery& n) -> task<> {
      const bool done = co_await move_on_after(1s, [&]() -> task<> {
        co_await n.start([&](task_status<>&) -> task<> {
          co_await with_cleanup([]() -> task<> { co_await sleep_forever(); },
                                [&]() -> task<> {
                                  co_await sleep_for(1s);
                                  cleaned = true;
                                });
        });
      });
      BOOST_TEST(!done);
      BOOST_TEST(cleaned); // the wait has ended when the child has
      BOOST_TEST(n.size() == 0U);
    });
  });
}

BOOST_AUTO_TEST_CASE(p03_a_child_that_is_ready_as_the_caller_is_cancelled_is_not_lost) {
  run_virtually([]() -> task<> {
    int got = 0;
    bool went_on = false;
    co_await with_nursery([&](nursery& n) -> task<> {
      co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
        got = co_await n.start([&](task_status<int>& status) -> task<> {
          co_await checkpoint();
          status.started(5);
          s.cancel();
          co_await sleep_for(1s);
          went_on = true;
        });
        co_await checkpoint();
        got = -1;
      });
    });
    BOOST_TEST(got == 5);
    BOOST_TEST(went_on);
  });
}

BOOST_AUTO_TEST_CASE(starting_twice_is_refused) {
  run_virtually([]() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      co_await n.start([](task_status<>& status) -> task<> {
        status.started();
        co_await checkpoint();
        BOOST_CHECK_THROW(status.started(), usage_error);
      });
    });
  });
}

BOOST_AUTO_TEST_CASE(after_it_is_ready_a_failure_goes_to_the_nursery) {
  run_virtually([]() -> task<> {
    BOOST_CHECK_THROW(co_await with_nursery([&](nursery& n) -> task<> {
                        co_await n.start([](task_status<>& status) -> task<> {
                          status.started();
                          co_await checkpoint();
                          throw std::domain_error("later");
                        });
                      }),
                      std::domain_error);
  });
}

BOOST_AUTO_TEST_SUITE_END()
