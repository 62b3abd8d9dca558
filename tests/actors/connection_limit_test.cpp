// SPDX-License-Identifier: BSD-3-Clause
#include "shop.hpp"

#include <troupe/actors/connection_pool.hpp>
#include <troupe/nursery.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/testing/injection.hpp>
#include <troupe/time.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <optional>
#include <random>
#include <string>

using namespace troupe;
using namespace std::chrono_literals;
using troupe_test::functions_of;
using troupe_test::shop;
using troupe_test::wire;

namespace {

using wires = connection_pool<wire>;

/// Two pools under one limit.
task<> with_two_pools(shop& s, connection_limit& limit, connection_pool_options options,
                      std::function<task<>(wires&, wires&)> body) {
  const auto functions = functions_of(s, 1ms);
  options.shared = &limit;
  co_await with_connection_pool(options, functions, [&](wires& one) -> task<> {
    co_await with_connection_pool(options, functions,
                                  [&](wires& other) -> task<> { co_await body(one, other); });
  });
}

task<> use(wires& pool, duration how_long) {
  const auto one = co_await pool.borrow();
  co_await sleep_for(how_long);
}

} // namespace

BOOST_AUTO_TEST_SUITE(connection_limits)

TROUPE_TEST_CASE(p17_an_idle_connection_of_another_pool_gives_way) {
  shop s;
  connection_limit limit(2);
  connection_pool_options options;
  co_await with_two_pools(s, limit, options, [&](wires& one, wires& other) -> task<> {
    co_await use(one, 1s);
    {
      const auto lent = co_await one.borrow();
      co_await use(other, 1s);
      BOOST_TEST(limit.size() == 2u);
      BOOST_TEST(other.statistics().idle == 1u);
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon(use, std::ref(one), 1s); // that of the other is closed
        co_await sleep_for(500ms);
        BOOST_TEST(other.statistics().idle == 0u);
        BOOST_TEST(limit.size() == 2u);
      });
    }
    BOOST_TEST(one.statistics().idle == 2u);
    co_await use(other, 1s);
    BOOST_TEST(one.statistics().idle == 1u);
  });
  BOOST_TEST(s.most_open == 2);
  BOOST_TEST(s.open == 0);
  BOOST_TEST(limit.size() == 0u);
}

TROUPE_TEST_CASE(p17_who_waits_for_a_lent_one_of_another_pool_is_served_in_order) {
  shop s;
  std::string order;
  connection_limit limit(2);
  connection_pool_options options;
  co_await with_two_pools(s, limit, options, [&](wires& one, wires& other) -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      for (char name = 'a'; name <= 'f'; ++name)
        n.start_soon([&, name]() -> task<> {
          const auto lent = co_await (name % 2 == 0 ? one : other).borrow();
          order += name;
          co_await sleep_for(1s);
        });
      co_return;
    });
  });
  BOOST_TEST(order == "abcdef");
  BOOST_TEST(s.most_open == 2);
}

TROUPE_TEST_CASE(a_minimum_does_not_close_what_another_pool_has) {
  shop s;
  connection_limit limit(3);
  connection_pool_options options;
  options.min = 2;
  options.check_every = 10s;
  co_await with_two_pools(s, limit, options, [&](wires& one, wires& other) -> task<> {
    co_await sleep_for(1min);
    BOOST_TEST(one.statistics().idle + other.statistics().idle == 3u);
    BOOST_TEST(s.made == 3);
  });
}

TROUPE_TEST_CASE(p17_limit_holds_at_every_step_of_a_random_crowd) {
  shop s;
  std::mt19937 random(7);
  connection_limit limit(4);
  connection_pool_options options;
  options.max = 3;
  options.idle_limit = 50ms;
  options.check_after = 0ms;
  options.check_every = 20ms;
  co_await with_two_pools(s, limit, options, [&](wires& one, wires& other) -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 300; ++i) {
        n.start_soon([&]() -> task<> {
          wires& pool = random() % 2 == 0 ? one : other;
          co_await move_on_after(std::chrono::milliseconds(random() % 200), [&]() -> task<> {
            co_await use(pool, std::chrono::milliseconds(random() % 20));
          });
        });
        BOOST_TEST(s.open <= 4);
        co_await sleep_for(std::chrono::milliseconds(random() % 5));
      }
    });
    BOOST_TEST(one.statistics().lent + other.statistics().lent == 0u);
  });
  BOOST_TEST(s.most_open == 4);
  BOOST_TEST(s.open == 0);
}

BOOST_AUTO_TEST_CASE(p17_cut_off_anywhere_it_keeps_nothing) {
  shop s;
  std::optional<connection_limit> limit;
  const auto scenario = [&]() -> task<> {
    limit.emplace(1);
    connection_pool_options options;
    co_await with_two_pools(s, *limit, options, [&](wires& one, wires& other) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon(use, std::ref(one), 1s);
        n.start_soon(use, std::ref(other), 1s);
        co_return;
      });
    });
  };
  const std::size_t points = testing::for_each_checkpoint(scenario, [&](const testing::injection&) {
    BOOST_TEST(s.open == 0);
    BOOST_TEST(limit->size() == 0u);
  });
  BOOST_TEST(points > 5u);
}

BOOST_AUTO_TEST_CASE(a_limit_of_none_is_refused) {
  BOOST_CHECK_THROW(connection_limit(0), std::invalid_argument);
}

BOOST_AUTO_TEST_SUITE_END()
