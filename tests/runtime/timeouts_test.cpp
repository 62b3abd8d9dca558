// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;

BOOST_AUTO_TEST_SUITE(timeouts_suite)

BOOST_AUTO_TEST_CASE(p08_sleeps_take_as_long_as_they_say) {
  run_virtually([]() -> task<> {
    const auto begin = current_time();
    co_await sleep_for(1s);
    BOOST_TEST((current_time() - begin == 1s));
    co_await sleep_until(begin + 3s);
    BOOST_TEST((current_time() - begin == 3s));
    for (const duration d : {duration(0s), duration(-5s), duration::min()})
      co_await sleep_for(d);
    co_await sleep_until(begin);
    co_await sleep_until(time_point::min());
    BOOST_TEST((current_time() - begin == 3s));
  });
}

BOOST_AUTO_TEST_CASE(p08_on_the_machines_clock_a_deadline_is_not_early_either) {
  run(run_options{.loops = 1}, []() -> task<> {
    const auto begin = std::chrono::steady_clock::now();
    BOOST_TEST(!co_await move_on_after(20ms, []() -> task<> { co_await sleep_forever(); }));
    BOOST_TEST((std::chrono::steady_clock::now() - begin >= 20ms));
  });
}

BOOST_AUTO_TEST_CASE(a_sleep_that_cannot_end_is_still_cancelled) {
  run_virtually([]() -> task<> {
    const auto begin = current_time();
    for (const duration d : {duration::max(), duration::max() - 1ns})
      BOOST_TEST(!co_await move_on_after(1s, [d]() -> task<> { co_await sleep_for(d); }));
    BOOST_TEST(!co_await move_on_after(1s, []() -> task<> { co_await sleep_forever(); }));
    BOOST_TEST((current_time() - begin == 3s));
    // nor does a limit overflow
    for (const duration d : {duration::max(), duration::max() - 1ns})
      BOOST_TEST(co_await move_on_after(d, []() -> task<> { co_await sleep_for(1s); }));
  });
}

BOOST_AUTO_TEST_CASE(a_limit_counts_from_the_await) {
  run_virtually([]() -> task<> {
    auto limited = move_on_after(5s, []() -> task<> { co_await sleep_forever(); });
    co_await sleep_for(3s);
    const auto begin = current_time();
    BOOST_TEST(!co_await limited);
    BOOST_TEST((current_time() - begin == 5s));
  });
}

BOOST_AUTO_TEST_CASE(a_timeout_works_behind_a_shield) {
  run_virtually([]() -> task<> {
    const auto begin = current_time();
    bool inner = true;
    co_await with_cancel_scope([&](cancel_scope& outer) -> task<> {
      outer.cancel();
      inner = co_await move_on_after(1s, [](cancel_scope& s) -> task<> {
        s.shield(true);
        co_await sleep_forever();
      });
      inner = true; // the outer scope is cancelled, so this does not come back
    });
    BOOST_TEST((current_time() - begin == 1s));
    BOOST_TEST(inner); // never written
    // a shield that is lifted lets the outer cancellation in
    bool passed = false, past = false;
    co_await with_cancel_scope([&](cancel_scope& outer) -> task<> {
      co_await move_on_after(1s, [&](cancel_scope& s) -> task<> {
        s.shield(true);
        outer.cancel();
        co_await checkpoint();
        passed = true;
        s.shield(false);
        co_await checkpoint();
        past = true;
      });
    });
    BOOST_TEST(passed);
    BOOST_TEST(!past);
  });
}

BOOST_AUTO_TEST_CASE(fail_after_and_fail_at_throw_only_when_they_have_cut_off) {
  run_virtually([]() -> task<> {
    const auto begin = current_time();
    const auto forever = []() -> task<> { co_await sleep_forever(); };
    const auto quick = []() -> task<> { co_await checkpoint(); };
    BOOST_CHECK_THROW(co_await fail_at(begin + 1s, forever), timeout_error);
    BOOST_CHECK_THROW(co_await fail_after(1s, forever), timeout_error);
    BOOST_CHECK_THROW(co_await fail_at(begin, quick), timeout_error);
    BOOST_TEST((current_time() - begin == 2s));
    co_await fail_at(begin + 100s, quick);
    co_await fail_after(100s, quick);
    // the deadline has passed, but the body had its result
    co_await fail_after(
      1s, []() -> task<> { co_await shielded([]() -> task<> { co_await sleep_for(2s); }); });
    // by hand it is no timeout
    BOOST_CHECK_THROW(co_await fail_after(1s,
                                          [](cancel_scope& s) -> task<> {
                                            s.cancel("by hand");
                                            co_await checkpoint();
                                          }),
                      task_cancelled);
  });
}

BOOST_AUTO_TEST_CASE(a_timeout_that_was_left_in_time_does_not_strike_later) {
  run_virtually([]() -> task<> {
    BOOST_TEST(co_await move_on_after(1s, []() -> task<> { co_await checkpoint(); }));
    co_await sleep_for(2s);
    BOOST_TEST(!is_cancelled());
  });
}

BOOST_AUTO_TEST_CASE(a_yield_notices_that_a_deadline_has_passed) {
  run(run_options{.loops = 1}, []() -> task<> {
    long rounds = 0;
    BOOST_TEST(!co_await move_on_after(1ms, [&]() -> task<> {
      for (;; ++rounds)
        co_await checkpoint(); // the ready queue is never empty
    }));
    BOOST_TEST(rounds > 0);
  });
}

BOOST_AUTO_TEST_CASE(p10_ten_thousand_equal_deadlines_wake_in_the_order_they_were_set) {
  run_virtually([]() -> task<> {
    std::vector<int> order;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 10'000; ++i)
        n.start_soon([&, i]() -> task<> {
          co_await sleep_for(1s);
          order.push_back(i);
        });
      co_return;
    });
    BOOST_TEST(order.size() == 10'000U);
    BOOST_TEST(std::is_sorted(order.begin(), order.end()));
  });
}

BOOST_AUTO_TEST_SUITE_END()
