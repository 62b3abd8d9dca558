// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/outcome.hpp>
#include <troupe/postgres/pool.hpp>
#include <troupe/postgres/transaction.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/troupe.hpp>

#include "support/postgres_server.hpp"

#include <boost/test/unit_test.hpp>

#include <optional>
#include <random>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using postgres::open_connection;
using troupe_test::postgres_server;
using troupe_test::with_postgres;
using pool_of_postgres = connection_pool<postgres::connection>;

namespace {

task<int> ask(pool_of_postgres& pool, int number) {
  auto db = co_await pool.borrow();
  const auto r = co_await db->query("select $1::int", number);
  co_return r.only()[0].get<int>();
}

/// How many connections the server has, besides this one.
task<int> backends(postgres::connection& watcher) {
  const auto r = co_await watcher.query("select count(*) from pg_stat_activity "
                                        "where backend_type = 'client backend' and pid <> $1",
                                        watcher.backend());
  co_return r.only()[0].get<int>();
}

task<> until_backends(postgres::connection& watcher, int wanted) {
  for (;;) {
    const int now = co_await backends(watcher);
    if (now == wanted)
      co_return;
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(postgres_pools)

TROUPE_TEST_CASE(many_tasks_share_few_connections, .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    connection_pool_options options;
    options.max = 3;
    const auto functions = postgres::pooled(server.local());
    co_await with_connection_pool(options, functions, [&](pool_of_postgres& pool) -> task<> {
      int sum = 0;
      co_await with_nursery([&](nursery& n) -> task<> {
        for (int i = 0; i < 200; ++i)
          n.start_soon([&, i]() -> task<> { sum += co_await ask(pool, i); });
        co_return;
      });
      BOOST_TEST(sum == 199 * 200 / 2);
      BOOST_TEST(pool.statistics().opened == 3U);
      BOOST_TEST(pool.statistics().reused == 197U);
    });
    auto watcher = co_await open_connection(server.local());
    co_await until_backends(watcher, 0); // all are closed
  });
}

TROUPE_TEST_CASE(one_that_waits_in_vain_is_told_what_for, .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    connection_pool_options options;
    options.max = 1;
    options.name = "the shop's database";
    const auto functions = postgres::pooled(server.local());
    co_await with_connection_pool(options, functions, [&](pool_of_postgres& pool) -> task<> {
      const auto db = co_await pool.borrow();
      const auto late = co_await as_outcome(pool.borrow(10ms));
      BOOST_CHECK_THROW(std::rethrow_exception(late.error()), timeout_error);
      BOOST_TEST(describe(late.error()).find("the shop's database") != std::string::npos);
    });
  });
}

TROUPE_TEST_CASE(p17_killed_backends_and_restarts_are_not_noticed_by_who_borrows_next,
                 .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    connection_pool_options options;
    options.max = 4;
    const auto functions = postgres::pooled(server.local());
    co_await with_connection_pool(options, functions, [&](pool_of_postgres& pool) -> task<> {
      const auto all_at_once = [&](auto with) -> task<> {
        std::vector<lease<postgres::connection>> lent;
        while (lent.size() != 4)
          lent.push_back(co_await pool.borrow());
        for (auto& one : lent)
          co_await with(*one);
      };
      std::vector<int> pids;
      const auto note = [&](postgres::connection& c) -> task<> {
        pids.push_back(c.backend());
        co_return;
      };
      const auto works = [&](postgres::connection& c) -> task<> {
        const auto r = co_await c.query("select 1");
        BOOST_TEST(r.only()[0].get<int>() == 1);
      };
      co_await all_at_once(note);
      {
        auto killer = co_await open_connection(server.local());
        for (const int pid : pids)
          static_cast<void>(co_await killer.query("select pg_terminate_backend($1, 5000)", pid));
      }
      co_await all_at_once(works); // at once: no check has been due
      BOOST_TEST(pool.statistics().broken == 4U);
      co_await server.stop();
      const auto refused = co_await as_outcome(pool.borrow());
      BOOST_CHECK_THROW(std::rethrow_exception(refused.error()), postgres::connection_error);
      co_await server.start();
      co_await all_at_once(works);
      co_await server.crash();
      co_await server.start();
      co_await all_at_once(works);
      BOOST_TEST(pool.statistics().broken == 12U);
      { // in the middle of it
        auto one = co_await pool.borrow();
        co_await server.crash();
        const auto lost = co_await as_outcome(one->query("select 1"));
        BOOST_CHECK_THROW(std::rethrow_exception(lost.error()), postgres::connection_error);
      } // and its user says nothing
      co_await server.start();
      co_await all_at_once(works);
      BOOST_TEST(pool.statistics().lent == 0U);
    });
  });
}

TROUPE_TEST_CASE(p17_one_that_comes_back_in_a_transaction_is_not_lent_again,
                 .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    connection_pool_options options;
    const auto functions = postgres::pooled(server.local());
    co_await with_connection_pool(options, functions, [&](pool_of_postgres& pool) -> task<> {
      int forgotten = 0;
      {
        auto db = co_await pool.borrow();
        forgotten = db->backend();
        static_cast<void>(co_await db->execute("begin"));
      }
      auto db = co_await pool.borrow();
      BOOST_TEST(db->backend() != forgotten);
    });
  });
}

TROUPE_TEST_CASE(a_server_that_accepts_and_never_answers_costs_the_limit, .virtual_time = false) {
  const listen_options here{.address = "127.0.0.1"};
  tcp_listener hole(0, here);
  connection_pool_options options;
  options.open_limit = 50ms;
  const auto functions =
    postgres::pooled("host=127.0.0.1 dbname=x port=" + std::to_string(hole.port()));
  co_await with_connection_pool(options, functions, [&](pool_of_postgres& pool) -> task<> {
    const auto late = co_await as_outcome(pool.borrow());
    BOOST_CHECK_THROW(std::rethrow_exception(late.error()), timeout_error);
    const auto sooner = co_await as_outcome(pool.borrow(5ms));
    BOOST_CHECK_THROW(std::rethrow_exception(sooner.error()), timeout_error);
    BOOST_TEST(pool.statistics().lent + pool.statistics().opening == 0U);
  });
}

TROUPE_TEST_CASE(p17_whoever_is_cancelled_wherever_leaves_no_lease, .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    auto watcher = co_await open_connection(server.local());
    connection_pool_options options;
    options.max = 3;
    options.check_after = 0ms;
    postgres::connection_options quick;
    quick.cancel_limit = 1s;
    const auto functions = postgres::pooled(server.local(), quick);
    std::mt19937 random(7);
    co_await with_connection_pool(options, functions, [&](pool_of_postgres& pool) -> task<> {
      int ended = 0;
      co_await with_nursery([&](nursery& n) -> task<> {
        for (int i = 0; i < 100; ++i)
          n.start_soon([&]() -> task<> {
            const auto limit = std::chrono::microseconds(random() % 60'000);
            const bool done = co_await move_on_after(limit, [&]() -> task<> {
              auto db = co_await pool.borrow();
              co_await with_transaction(*db, [&]() -> task<> {
                static_cast<void>(co_await db->query("select pg_sleep(0.002)"));
              });
            });
            ended += done ? 1 : 0;
          });
        for (int i = 0; i < 10; ++i) {
          const auto now = pool.statistics();
          BOOST_TEST(now.lent + now.idle + now.opening <= 3U);
          BOOST_TEST(co_await backends(watcher) <= 6); // what was cut off still ends
        }
      });
      BOOST_TEST_MESSAGE(ended << " of 100 have come to their end");
      BOOST_TEST(pool.statistics().lent == 0U);
      BOOST_TEST(pool.statistics().waiting == 0U);
      BOOST_TEST(pool.statistics().opening == 0U);
      std::vector<lease<postgres::connection>> all;
      while (all.size() != 3) {
        all.push_back(co_await pool.borrow());
        co_await all.back()->ping();
      }
    });
    co_await until_backends(watcher, 0);
  });
}

BOOST_AUTO_TEST_SUITE_END()
