// SPDX-License-Identifier: BSD-3-Clause
#include "support/at_end.hpp"

#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;
using troupe_test::counts_end;

BOOST_AUTO_TEST_SUITE(map_concurrently_suite)

BOOST_AUTO_TEST_CASE(gives_results_in_order_and_respects_the_limit) {
  run_virtually([]() -> task<> {
    for (const int limit : {1, 3, 100}) {
      int running = 0;
      int most = 0;
      const auto squares = co_await map_concurrently(
        std::views::iota(0, 20), static_cast<std::size_t>(limit), [&](int i) -> task<int> {
          most = std::max(most, ++running);
          co_await sleep_for((i * 7) % 5 * 1s + 1s);
          --running;
          co_return i* i;
        });
      BOOST_TEST(squares.size() == 20U);
      for (int i = 0; i != 20; ++i)
        BOOST_TEST(squares[static_cast<std::size_t>(i)] == i * i);
      BOOST_TEST(most == std::min(limit, 20));
    }
  });
}

BOOST_AUTO_TEST_CASE(takes_elements_by_reference_and_gives_what_can_only_be_moved) {
  run_virtually([]() -> task<> {
    std::vector<std::unique_ptr<int>> numbers;
    numbers.push_back(std::make_unique<int>(1));
    numbers.push_back(std::make_unique<int>(2));
    auto doubled = co_await map_concurrently(
      std::move(numbers), 2, [](const std::unique_ptr<int>& p) -> task<std::unique_ptr<int>> {
        co_await checkpoint();
        co_return std::make_unique<int>(*p * 2);
      });
    BOOST_TEST(*doubled[1] == 4);
    int sum = 0;
    const std::vector three{1, 2, 3};
    co_await map_concurrently(three, 2, [&](int i) -> task<> {
      sum += i;
      co_return;
    });
    BOOST_TEST(sum == 6);
    const auto none =
      co_await map_concurrently(std::vector<int>(), 2, [](int i) -> task<int> { co_return i; });
    BOOST_TEST(none.empty());
  });
}

BOOST_AUTO_TEST_CASE(begins_no_other_call_when_one_has_failed) {
  run_virtually([]() -> task<> {
    int begun = 0;
    int ended = 0;
    const auto call = [&](int i) -> task<int> {
      ++begun;
      counts_end guard{ended};
      co_await sleep_for(i * 1s);
      if (i == 2)
        throw std::runtime_error("two");
      co_return i;
    };
    auto all = map_concurrently(std::views::iota(0, 100), 2, call);
    BOOST_CHECK_THROW(static_cast<void>(co_await std::move(all)), std::runtime_error);
    BOOST_TEST(begun == 4);
    BOOST_TEST(ended == begun);
    auto never = map_concurrently(std::views::iota(0, 1), 0, call);
    BOOST_CHECK_THROW(static_cast<void>(co_await std::move(never)), usage_error);
  });
}

BOOST_AUTO_TEST_CASE(is_cancelled_before_and_during) {
  run_virtually([]() -> task<> {
    for (const bool before : {true, false}) {
      int begun = 0;
      int ended = 0;
      const bool finished = co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
        if (before)
          s.cancel();
        else
          s.deadline(current_time() + 2500ms);
        const auto call = [&](int) -> task<> {
          ++begun;
          counts_end guard{ended};
          co_await sleep_for(1s);
        };
        co_await map_concurrently(std::views::iota(0, 100), 2, call);
        BOOST_ERROR("came back");
      });
      BOOST_TEST(!finished);
      BOOST_TEST(begun == (before ? 1 : 6));
      BOOST_TEST(ended == begun);
    }
  });
}

BOOST_AUTO_TEST_SUITE_END()
