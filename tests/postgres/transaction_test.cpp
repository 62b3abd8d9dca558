// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/outcome.hpp>
#include <troupe/postgres/transaction.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/troupe.hpp>

#include "support/postgres_server.hpp"

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>

using namespace troupe;
using namespace std::chrono_literals;
using postgres::open_connection;
using postgres::with_transaction;
using troupe_test::postgres_server;
using troupe_test::with_postgres;

namespace {

task<int> count(postgres::connection& db) {
  const auto r = co_await db.query("select count(*) from t");
  co_return r.only()[0].get<int>();
}

task<postgres::connection> with_table(const postgres_server& server) {
  auto db = co_await open_connection(server.local());
  static_cast<void>(co_await db.execute("create table t (id int primary key)"));
  co_return db;
}

task<> insert(postgres::connection& db, int id) {
  static_cast<void>(co_await db.query("insert into t values ($1)", id));
}

} // namespace

BOOST_AUTO_TEST_SUITE(postgres_transactions)

TROUPE_TEST_CASE(commits_what_ends_well_and_gives_its_value, .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    auto db = co_await with_table(server);
    auto other = co_await open_connection(server.local());
    const int value = co_await with_transaction(db, [&]() -> task<int> {
      co_await insert(db, 1);
      BOOST_TEST(db.in_transaction());
      BOOST_TEST(!db.usable());
      BOOST_TEST(co_await count(db) == 1);
      BOOST_TEST(co_await count(other) == 0);
      co_return 7;
    });
    BOOST_TEST(value == 7);
    BOOST_TEST(co_await count(other) == 1);
    BOOST_TEST(db.usable());
  });
}

TROUPE_TEST_CASE(rolls_back_what_fails_or_is_cancelled, .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    auto db = co_await with_table(server);
    const auto thrown = co_await as_outcome(with_transaction(db, [&]() -> task<> {
      co_await insert(db, 1);
      throw std::runtime_error("on second thoughts");
    }));
    BOOST_TEST(describe(thrown.error()).find("on second thoughts") != std::string::npos);
    BOOST_TEST(db.usable());
    const auto failed = co_await as_outcome(with_transaction(db, [&]() -> task<> {
      co_await insert(db, 1);
      co_await insert(db, 1);
    }));
    BOOST_CHECK_THROW(std::rethrow_exception(failed.error()), postgres::error);
    BOOST_TEST(db.usable());
    const bool ended = co_await move_on_after(50ms, [&]() -> task<> {
      co_await with_transaction(db, [&]() -> task<> {
        co_await insert(db, 1);
        static_cast<void>(co_await db.query("select pg_sleep(600)"));
      });
    });
    BOOST_TEST(!ended);
    BOOST_TEST(db.usable());
    BOOST_TEST(co_await count(db) == 0);
  });
}

TROUPE_TEST_CASE(an_error_that_was_caught_inside_is_not_taken_for_success, .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    auto db = co_await with_table(server);
    const auto result = co_await as_outcome(with_transaction(db, [&]() -> task<> {
      co_await insert(db, 1);
      const auto second = co_await as_outcome(insert(db, 1));
      BOOST_TEST(!second);
    }));
    BOOST_TEST(describe(result.error()).find("rolled back") != std::string::npos);
    BOOST_TEST(co_await count(db) == 0);
  });
}

TROUPE_TEST_CASE(one_that_cannot_roll_back_is_given_up, .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    postgres::connection_options options;
    options.cancel_limit = 50ms;
    auto db = co_await open_connection(server.local(), options);
    const auto result = co_await as_outcome(with_transaction(db, [&]() -> task<> {
      postgres_server::freeze(db.backend());
      throw std::runtime_error("on second thoughts");
      co_return;
    }));
    BOOST_TEST(describe(result.error()).find("on second thoughts") != std::string::npos);
    BOOST_TEST(!db.usable());
    postgres_server::thaw(db.backend());
  });
}

TROUPE_TEST_CASE(sees_of_others_what_it_asks_for, .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    auto db = co_await with_table(server);
    auto other = co_await open_connection(server.local());
    postgres::transaction_options options;
    options.isolation = postgres::isolation::repeatable_read;
    options.read_only = true;
    co_await with_transaction(db, options, [&]() -> task<> {
      BOOST_TEST(co_await count(db) == 0);
      co_await insert(other, 1);
      BOOST_TEST(co_await count(db) == 0);
    });
    BOOST_TEST(co_await count(db) == 1);
    const auto refused =
      co_await as_outcome(with_transaction(db, options, [&]() { return insert(db, 2); }));
    BOOST_TEST(describe(refused.error()).find("read-only") != std::string::npos);
  });
}

BOOST_AUTO_TEST_SUITE_END()
