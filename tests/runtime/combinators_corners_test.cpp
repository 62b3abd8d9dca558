// SPDX-License-Identifier: BSD-3-Clause
// Combinators with nothing to do, with what is there at once, and within each other.

#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;

namespace {

task<int> after_seconds(int seconds) {
  if (seconds > 0)
    co_await sleep_for(std::chrono::seconds(seconds));
  co_return seconds;
}

task<> stubborn(int seconds) {
  co_await shielded([=]() -> task<> { co_await sleep_for(std::chrono::seconds(seconds)); });
}

task<> failing() {
  co_await checkpoint();
  throw std::runtime_error("no");
}

} // namespace

BOOST_AUTO_TEST_SUITE(combinators_corners)

BOOST_AUTO_TEST_CASE(none_to_gather_is_no_wait) {
  run_virtually([]() -> task<> {
    const auto begin = current_time();
    std::vector<task<int>> none;
    BOOST_TEST((co_await gather(std::move(none))).empty());
    std::vector<task<int>> none_either;
    BOOST_TEST((co_await gather_settled(std::move(none_either))).empty());
    std::vector<task_handle<int>> no_handles;
    const auto nothing = co_await wait(no_handles);
    BOOST_TEST((nothing.done.empty() && nothing.pending.empty()));
    std::vector<task<int>> nobody;
    BOOST_CHECK_THROW(static_cast<void>(co_await race(std::move(nobody))), usage_error);
    BOOST_TEST((current_time() == begin));
  });
}

BOOST_AUTO_TEST_CASE(what_is_there_at_once_wins_wherever_it_stands) {
  run_virtually([]() -> task<> {
    const auto begin = current_time();
    const auto front = co_await race(after_seconds(0), after_seconds(1));
    BOOST_TEST(front.index() == 0U);
    const auto back = co_await race(after_seconds(1), after_seconds(0));
    BOOST_TEST(back.index() == 1U);
    BOOST_TEST((current_time() == begin));
    const auto [a, b] = co_await gather(after_seconds(0), after_seconds(1));
    BOOST_TEST(a == 0);
    BOOST_TEST(b == 1);
    BOOST_TEST((current_time() - begin == 1s));
  });
}

BOOST_AUTO_TEST_CASE(a_race_within_a_gather_within_a_race) {
  run_virtually([]() -> task<> {
    const auto begin = current_time();
    auto inner = []() -> task<int> {
      const auto [a, b] = co_await gather(after_seconds(2), []() -> task<int> {
        const auto first = co_await race(after_seconds(5), after_seconds(3));
        co_return static_cast<int>(first.index());
      }());
      co_return a + b;
    };
    const auto first = co_await race(inner(), after_seconds(9));
    BOOST_TEST(std::get<0>(first) == 3);
    BOOST_TEST((current_time() - begin == 3s));
  });
}

BOOST_AUTO_TEST_CASE(one_that_will_not_be_cancelled_is_waited_for) {
  run_virtually([]() -> task<> {
    const auto begin = current_time();
    static_cast<void>(co_await race(after_seconds(2), stubborn(3), after_seconds(5)));
    BOOST_TEST((current_time() - begin == 3s));
    BOOST_CHECK_THROW(static_cast<void>(co_await race(failing(), stubborn(3))), std::runtime_error);
    BOOST_TEST((current_time() - begin == 6s));
    BOOST_CHECK_THROW(static_cast<void>(co_await gather(stubborn(3), failing())),
                      std::runtime_error);
    BOOST_TEST((current_time() - begin == 9s));
  });
}

BOOST_AUTO_TEST_CASE(cancelled_when_some_have_ended_already) {
  run_virtually([]() -> task<> {
    const auto begin = current_time();
    BOOST_TEST(!co_await move_on_after(1s, []() -> task<> {
      static_cast<void>(co_await gather(after_seconds(9), after_seconds(9), after_seconds(0)));
    }));
    BOOST_TEST(!co_await move_on_after(1s, []() -> task<> {
      static_cast<void>(co_await gather_settled(after_seconds(9), after_seconds(0)));
    }));
    BOOST_TEST((current_time() - begin == 2s));
  });
}

BOOST_AUTO_TEST_SUITE_END()
