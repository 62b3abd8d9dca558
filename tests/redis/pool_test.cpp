// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/outcome.hpp>
#include <troupe/redis/pool.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/troupe.hpp>

#include "support/redis_server.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe_test::redis_server;
using troupe_test::with_redis;
using pool_of_redis = connection_pool<redis::connection>;

BOOST_AUTO_TEST_SUITE(redis_pools)

TROUPE_TEST_CASE(many_tasks_share_few_connections, .virtual_time = false) {
  co_await with_redis([](redis_server& server) -> task<> {
    connection_pool_options options;
    options.max = 3;
    options.check_after = 0ms; // each is pinged
    const auto functions = redis::pooled(server.path());
    co_await with_connection_pool(options, functions, [&](pool_of_redis& pool) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        for (int i = 0; i < 300; ++i)
          n.start_soon([&]() -> task<> {
            auto db = co_await pool.borrow();
            static_cast<void>(co_await db->command("incr", "count"));
          });
        co_return;
      });
      auto db = co_await pool.borrow();
      BOOST_TEST((co_await db->command("get", "count")).get<int>() == 300);
      BOOST_TEST(pool.statistics().opened == 3U);
      BOOST_TEST(pool.statistics().broken == 0U);
    });
  });
}

TROUPE_TEST_CASE(p17_restarts_are_not_noticed_by_who_borrows_next, .virtual_time = false) {
  co_await with_redis([](redis_server& server) -> task<> {
    connection_pool_options options;
    const auto functions = redis::pooled(server.url());
    co_await with_connection_pool(options, functions, [&](pool_of_redis& pool) -> task<> {
      const auto works = [&]() -> task<> {
        std::vector<lease<redis::connection>> lent;
        while (lent.size() != 3)
          lent.push_back(co_await pool.borrow());
        for (auto& one : lent)
          BOOST_TEST((co_await one->command("ping")).text() == "PONG");
      };
      co_await works();
      co_await server.stop();
      const auto refused = co_await as_outcome(pool.borrow());
      BOOST_CHECK_THROW(std::rethrow_exception(refused.error()), connection_refused);
      co_await server.start();
      co_await works();
      BOOST_TEST(pool.statistics().broken == 3U);
      { // in the middle of it; its user says nothing
        auto one = co_await pool.borrow();
        co_await server.crash();
        const auto lost = co_await as_outcome(one->command("ping"));
        BOOST_TEST(!lost);
      }
      co_await server.start();
      co_await works();
      { // killed by the server
        std::vector<lease<redis::connection>> lent;
        lent.push_back(co_await pool.borrow());
        lent.push_back(co_await pool.borrow());
        const auto id = (co_await lent[0]->command("client", "id")).get<int>();
        static_cast<void>(co_await lent[1]->command("client", "kill", "id", id));
      }
      co_await works();
      BOOST_TEST(pool.statistics().lent == 0U);
    });
  });
}

TROUPE_TEST_CASE(a_server_that_accepts_and_never_answers_costs_the_limit, .virtual_time = false) {
  const listen_options here{.address = "127.0.0.1"};
  tcp_listener hole(0, here);
  connection_pool_options options;
  options.open_limit = 50ms;
  const auto functions =
    redis::pooled("redis://:password@127.0.0.1:" + std::to_string(hole.port()));
  co_await with_connection_pool(options, functions, [&](pool_of_redis& pool) -> task<> {
    const auto late = co_await as_outcome(pool.borrow());
    BOOST_CHECK_THROW(std::rethrow_exception(late.error()), timeout_error);
    BOOST_TEST(pool.statistics().lent + pool.statistics().opening == 0U);
  });
}

TROUPE_TEST_CASE(p17_a_frozen_server_and_cancellation_leave_no_lease, .virtual_time = false) {
  co_await with_redis([](redis_server& server) -> task<> {
    connection_pool_options options;
    options.max = 3;
    options.check_after = 0ms;
    options.check_limit = 20ms;
    options.open_limit = 100ms;
    const auto functions = redis::pooled(server.url());
    std::mt19937 random(11);
    co_await with_connection_pool(options, functions, [&](pool_of_redis& pool) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        for (int i = 0; i < 300; ++i) {
          n.start_soon([&]() -> task<> {
            co_await move_on_after(std::chrono::microseconds(random() % 20'000), [&]() -> task<> {
              auto db = co_await pool.borrow();
              static_cast<void>(co_await db->command("blpop", "none", 1));
            });
          });
          if (i == 100)
            server.freeze();
          if (i == 200)
            server.thaw();
          const auto now = pool.statistics();
          BOOST_TEST(now.lent + now.idle + now.opening <= 3U);
          co_await checkpoint();
        }
      });
      BOOST_TEST(pool.statistics().lent == 0U);
      BOOST_TEST(pool.statistics().waiting == 0U);
      BOOST_TEST(pool.statistics().opening == 0U);
      auto db = co_await pool.borrow();
      BOOST_TEST((co_await db->command("ping")).text() == "PONG");
    });
  });
}

BOOST_AUTO_TEST_SUITE_END()
