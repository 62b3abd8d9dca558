// SPDX-License-Identifier: BSD-3-Clause
#include "support/at_end.hpp"

#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;
using troupe_test::counts_end;

static_assert(!std::is_copy_constructible_v<async_generator<int>>);
static_assert(std::is_nothrow_move_constructible_v<async_generator<int>>);

namespace {

/// 0, 1, 2 ..., one a second; counts when its body is gone.
async_generator<int> ticks(int& ended, int count = 1000) {
  counts_end guard{ended};
  for (int i = 0; i != count; ++i) {
    co_yield i;
    co_await sleep_for(1s);
  }
}

async_generator<std::unique_ptr<int>> pointers() {
  co_yield std::make_unique<int>(1);
  co_yield std::make_unique<int>(2);
}

async_generator<int> fails_after_one() {
  co_yield 1;
  co_await checkpoint();
  throw std::runtime_error("broken");
}

async_generator<std::string> lines_of(async_generator<int> numbers) {
  while (auto n = co_await numbers.next())
    co_yield "line " + std::to_string(*n);
}

} // namespace

BOOST_AUTO_TEST_SUITE(async_generator_suite)

BOOST_AUTO_TEST_CASE(gives_its_values_and_then_nothing) {
  run_virtually([]() -> task<> {
    int ended = 0;
    std::vector<int> seen;
    auto t = ticks(ended, 3);
    const time_point start = current_time();
    while (auto i = co_await t.next())
      seen.push_back(*i);
    BOOST_TEST((seen == std::vector{0, 1, 2}));
    BOOST_TEST((current_time() - start == 3s));
    BOOST_TEST(ended == 1);
    BOOST_TEST(t.ended());
    BOOST_TEST(!(co_await t.next()));

    auto p = pointers();
    int sum = 0;
    while (auto x = co_await p.next())
      sum += **x;
    BOOST_TEST(sum == 3);
  });
}

BOOST_AUTO_TEST_CASE(may_be_asked_twice_in_one_expression) {
  run_virtually([]() -> task<> {
    int ended = 0;
    auto t = ticks(ended);
    const int sum = (co_await t.next()).value() + (co_await t.next()).value();
    BOOST_TEST(sum == 1);
    BOOST_TEST(ended == 0);
  });
}

BOOST_AUTO_TEST_CASE(body_does_not_begin_before_it_is_asked) {
  int ended = 0;
  {
    auto t = ticks(ended);
    BOOST_TEST(!t.ended());
  }
  BOOST_TEST(ended == 0);
}

BOOST_AUTO_TEST_CASE(destructors_run_when_it_is_left_early) {
  run_virtually([]() -> task<> {
    int ended = 0;
    {
      auto t = ticks(ended);
      static_cast<void>(co_await t.next());
      static_cast<void>(co_await t.next());
      BOOST_TEST(ended == 0);
    }
    BOOST_TEST(ended == 1);

    auto t = ticks(ended);
    static_cast<void>(co_await t.next());
    t.close();
    t.close();
    BOOST_TEST(ended == 2);
    BOOST_TEST(!(co_await t.next()));

    auto u = ticks(ended);
    static_cast<void>(co_await u.next());
    auto v = std::move(u);
    BOOST_TEST(u.ended());
    const auto second = co_await v.next();
    BOOST_TEST(second.value() == 1);
    v = ticks(ended);
    BOOST_TEST(ended == 3);
  });
}

BOOST_AUTO_TEST_CASE(what_it_throws_comes_out_of_next_once) {
  run_virtually([]() -> task<> {
    auto g = fails_after_one();
    BOOST_TEST((co_await g.next()).value() == 1);
    BOOST_CHECK_THROW(static_cast<void>(co_await g.next()), std::runtime_error);
    BOOST_TEST(g.ended());
    BOOST_TEST(!(co_await g.next()));
  });
}

BOOST_AUTO_TEST_CASE(is_closed_when_its_consumer_fails) {
  run_virtually([]() -> task<> {
    int ended = 0;
    const auto consumer = [&]() -> task<> {
      auto t = ticks(ended);
      while (auto i = co_await t.next())
        if (*i == 2)
          throw std::runtime_error("enough");
    };
    BOOST_CHECK_THROW(co_await consumer(), std::runtime_error);
    BOOST_TEST(ended == 1);
  });
}

BOOST_AUTO_TEST_CASE(cancelled_while_the_body_waits_unwinds_the_body) {
  run_virtually([]() -> task<> {
    int ended = 0;
    auto t = ticks(ended); // outlives the scope
    int seen = 0;
    const bool finished = co_await move_on_after(2500ms, [&]() -> task<> {
      while (co_await t.next())
        ++seen;
    });
    BOOST_TEST(!finished);
    BOOST_TEST(seen == 3);
    BOOST_TEST(ended == 1);
    BOOST_TEST(t.ended());
    BOOST_TEST(!(co_await t.next()));
  });
}

BOOST_AUTO_TEST_CASE(cancelled_between_two_values_goes_on_later) {
  run_virtually([]() -> task<> {
    int ended = 0;
    auto t = ticks(ended);
    const bool finished = co_await move_on_after(1s, [&]() -> task<> {
      static_cast<void>(co_await t.next());
      co_await sleep_forever();
    });
    BOOST_TEST(!finished);
    BOOST_TEST(ended == 0);
    BOOST_TEST((co_await t.next()).value() == 1);
  });
}

BOOST_AUTO_TEST_CASE(next_in_a_cancelled_scope_ends_at_the_first_checkpoint_of_the_body) {
  run_virtually([]() -> task<> {
    int ended = 0;
    auto t = ticks(ended);
    int seen = 0;
    const bool finished = co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      s.cancel();
      while (co_await t.next())
        ++seen;
    });
    BOOST_TEST(!finished);
    BOOST_TEST(seen == 1); // given before the first checkpoint
    BOOST_TEST(ended == 1);
  });
}

BOOST_AUTO_TEST_CASE(body_may_open_nurseries_and_scopes_between_two_values) {
  run_virtually([]() -> task<> {
    const auto sums = []() -> async_generator<int> {
      for (int i = 0; i != 2; ++i) {
        int sum = 0;
        co_await with_nursery([&](nursery& n) -> task<> {
          for (int j = 0; j != 3; ++j)
            n.start_soon([&sum, j]() -> task<> {
              co_await sleep_for(1s);
              sum += j;
            });
          co_return;
        });
        co_yield sum;
        co_await move_on_after(1s, []() -> task<> { co_await sleep_forever(); });
      }
    };
    auto g = sums();
    BOOST_TEST((co_await g.next()).value() == 3);
    BOOST_TEST((co_await g.next()).value() == 3);
    BOOST_TEST(!(co_await g.next()));

    auto h = sums();
    const auto asks = [&]() -> task<> { static_cast<void>(co_await h.next()); };
    BOOST_TEST(!(co_await move_on_after(500ms, asks))); // in the nursery
    BOOST_TEST(h.ended());
  });
}

BOOST_AUTO_TEST_CASE(generators_can_be_chained_and_are_closed_together) {
  run_virtually([]() -> task<> {
    int ended = 0;
    {
      auto lines = lines_of(ticks(ended));
      static_cast<void>(co_await lines.next());
      BOOST_TEST((co_await lines.next()).value() == "line 1");
    }
    BOOST_TEST(ended == 1);
    auto lines = lines_of(ticks(ended));
    const bool finished = co_await move_on_after(1500ms, [&]() -> task<> {
      while (co_await lines.next()) {
      }
    });
    BOOST_TEST(!finished);
    BOOST_TEST(ended == 2);
  });
}

BOOST_AUTO_TEST_CASE(may_pass_from_one_task_to_another) {
  run_virtually([]() -> task<> {
    int ended = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      auto t = ticks(ended);
      static_cast<void>(co_await t.next());
      auto other = n.start_soon(
        [](async_generator<int> g) -> task<int> { co_return (co_await g.next()).value(); },
        std::move(t));
      const int got = co_await other;
      BOOST_TEST(got == 1);
    });
    BOOST_TEST(ended == 1);
  });
}

BOOST_AUTO_TEST_CASE(second_consumer_at_the_same_time_is_refused) {
  run_virtually([]() -> task<> {
    int ended = 0;
    auto t = ticks(ended);
    static_cast<void>(co_await t.next());
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { BOOST_TEST((co_await t.next()).value() == 1); });
      co_await sleep_for(500ms);
      BOOST_CHECK_THROW(static_cast<void>(co_await t.next()), usage_error);
      BOOST_CHECK_THROW(t.close(), usage_error);
    });
    BOOST_TEST((co_await t.next()).value() == 2);
  });
}

BOOST_AUTO_TEST_CASE(destroyed_while_another_task_waits_ends_with_that_call) {
  run_virtually([]() -> task<> {
    int ended = 0;
    std::optional<async_generator<int>> t = ticks(ended);
    static_cast<void>(co_await t->next());
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        const auto value = co_await t->next();
        BOOST_TEST(value.value() == 1);
      });
      co_await sleep_for(500ms);
      t.reset();
      BOOST_TEST(ended == 0);
    });
    BOOST_TEST(ended == 1);
  });
}

BOOST_AUTO_TEST_CASE(a_million_values_need_no_stack) {
  run_virtually([]() -> task<> {
    const auto numbers = []() -> async_generator<int> {
      for (int i = 0; i != 1'000'000; ++i)
        co_yield i;
    };
    auto g = numbers();
    int count = 0;
    while (co_await g.next())
      ++count;
    BOOST_TEST(count == 1'000'000);
  });
}

BOOST_AUTO_TEST_SUITE_END()
