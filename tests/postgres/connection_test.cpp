// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/outcome.hpp>
#include <troupe/postgres/connection.hpp>
#include <troupe/postgres/transaction.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/troupe.hpp>

#include "support/postgres_server.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>
#include <optional>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using postgres::open_connection;
using troupe_test::postgres_server;
using troupe_test::with_postgres;

static_assert(std::movable<postgres::connection> && !std::copyable<postgres::connection>);
static_assert(std::movable<postgres::result> && !std::copyable<postgres::result>);

namespace {

/// The SQLSTATE of a failure, or what else it is.
std::string state_of(const std::exception_ptr& e) {
  try {
    std::rethrow_exception(e);
  } catch (const postgres::error& failed) {
    return failed.sqlstate();
  } catch (...) {
    return describe(e);
  }
}

/// Waits until the backend runs a statement that contains `text`, or does not any more.
task<> until_it_runs(postgres::connection& other, int backend, bool runs = true) {
  for (;;) {
    const auto r = co_await other.query(
      "select count(*) from pg_stat_activity where pid = $1 and state = 'active'", backend);
    if ((r.only()[0].get<int>() == 1) == runs)
      co_return;
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(postgres_connections)

TROUPE_TEST_CASE(values_come_back_as_what_they_were, .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    auto db = co_await open_connection(server.local());
    const std::vector<std::byte> bytes{std::byte{0}, std::byte{255}, std::byte{'\''}};
    const auto r = co_await db.query(
      "select $1::int8 as whole, $2::float8 as real, $3::bool as truth, $4::text as words, "
      "$5::text as nothing, $6::bytea as bytes, $7::int2 as small",
      std::numeric_limits<std::int64_t>::min(), 0.1, true, "it's \"quoted\"; drop table x; --",
      nullptr, std::span<const std::byte>(bytes), std::optional<int>());
    const auto row = r.only();
    BOOST_TEST(row.size() == 7U);
    BOOST_TEST(row["whole"].get<std::int64_t>() == std::numeric_limits<std::int64_t>::min());
    BOOST_TEST(row["real"].get<double>() == 0.1);
    BOOST_TEST(row["truth"].get<bool>());
    BOOST_TEST(row["words"].get<std::string>() == "it's \"quoted\"; drop table x; --");
    BOOST_TEST(row["nothing"].is_null());
    BOOST_TEST((row["bytes"].get<std::vector<std::byte>>() == bytes));
    BOOST_TEST(!row["small"].get<std::optional<int>>());
    BOOST_TEST(row["whole"].get<std::optional<std::int64_t>>().has_value());
    BOOST_CHECK_THROW(static_cast<void>(row["whole"].get<int>()), postgres::bad_value);
    BOOST_CHECK_THROW(static_cast<void>(row["whole"].get<unsigned>()), postgres::bad_value);
    BOOST_CHECK_THROW(static_cast<void>(row["words"].get<double>()), postgres::bad_value);
    BOOST_CHECK_THROW(static_cast<void>(row["nothing"].get<std::string>()), postgres::bad_value);
    BOOST_CHECK_THROW(static_cast<void>(row["no such"]), postgres::bad_value);
    BOOST_CHECK_THROW(static_cast<void>(row[7]), postgres::bad_value);
    BOOST_CHECK_THROW((static_cast<void>(row.as<int, int>())), postgres::bad_value);
    const auto many = co_await db.query("select i, 'n' || i from generate_series(1, 3) as i");
    int sum = 0;
    std::string names;
    for (const auto one : many) {
      const auto [i, name] = one.as<int, std::string>();
      sum += i;
      names += name;
    }
    BOOST_TEST(sum == 6);
    BOOST_TEST(names == "n1n2n3");
    BOOST_TEST(many.affected_rows() == 3U);
    BOOST_TEST(many.command() == "SELECT 3");
    BOOST_CHECK_THROW(static_cast<void>(many.only()), postgres::bad_value);
    BOOST_CHECK_THROW(static_cast<void>(many[3]), postgres::bad_value);
  });
}

TROUPE_TEST_CASE(connects_by_a_url_with_a_password_and_a_name, .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    auto db = co_await open_connection(
      "postgresql://tester:secret@localhost:" + std::to_string(server.port()) + "/postgres");
    const auto r = co_await db.query("select current_user");
    BOOST_TEST(r.only()[0].text() == "tester");
    BOOST_TEST(db.name() == "postgres at localhost:" + std::to_string(server.port()) + "/postgres");
    BOOST_TEST(!db.parameter_status("server_version").empty());
    BOOST_TEST(db.parameter_status("no such").empty());
    const auto refused = co_await as_outcome(open_connection(server.url("wrong")));
    BOOST_CHECK_THROW(std::rethrow_exception(refused.error()), postgres::connection_error);
    const std::string why = describe(refused.error());
    BOOST_TEST(why.find("password authentication failed") != std::string::npos);
    BOOST_TEST(why.find("wrong") == std::string::npos);
  });
}

TROUPE_TEST_CASE(who_cannot_connect_is_told_where_and_why, .virtual_time = false) {
  const auto failure = [](std::string where) -> task<std::string> {
    const auto result = co_await as_outcome(open_connection(std::move(where)));
    BOOST_REQUIRE(!result);
    BOOST_CHECK_THROW(std::rethrow_exception(result.error()), postgres::connection_error);
    co_return describe(result.error());
  };
  const std::string port = std::to_string(troupe_test::free_port());
  const auto refused = co_await failure("host=127.0.0.1 dbname=x port=" + port);
  BOOST_TEST(refused.find("127.0.0.1:" + port + "/x") != std::string::npos);
  BOOST_TEST(refused.find("refused") != std::string::npos);
  const auto no_socket = co_await failure("host=/no/where dbname=x");
  BOOST_TEST(no_socket.find("No such file") != std::string::npos);
  const auto unread = co_await failure("hast=x");
  BOOST_TEST(unread.find("hast") != std::string::npos);
  const auto unread_url = co_await failure("postgresql://x:y@[z");
  BOOST_TEST(unread_url.find("connection string") != std::string::npos);
}

TROUPE_TEST_CASE(a_server_that_accepts_and_never_answers_is_left, .virtual_time = false) {
  const listen_options here{.address = "127.0.0.1"};
  tcp_listener hole(0, here);
  const std::string where = "host=127.0.0.1 dbname=x port=" + std::to_string(hole.port());
  const bool connected = co_await move_on_after(
    20ms, [&]() -> task<> { static_cast<void>(co_await open_connection(where)); });
  BOOST_TEST(!connected);
  const auto late = co_await as_outcome(open_connection(where + " connect_timeout=1"));
  BOOST_CHECK_THROW(std::rethrow_exception(late.error()), timeout_error);
}

TROUPE_TEST_CASE(an_error_has_its_parts_and_the_connection_goes_on, .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    auto db = co_await open_connection(server.local());
    static_cast<void>(co_await db.execute("create table t (id int primary key); "
                                          "insert into t values (1)"));
    try {
      static_cast<void>(co_await db.query("insert into t values ($1)", 1));
      BOOST_ERROR("inserted twice");
    } catch (const postgres::error& e) {
      BOOST_TEST(e.sqlstate() == postgres::sqlstate::unique_violation);
      BOOST_TEST(e.constraint() == "t_pkey");
      BOOST_TEST(e.detail() == "Key (id)=(1) already exists.");
      BOOST_TEST(std::string(e.what()).find("ERROR 23505: duplicate key") != std::string::npos);
    }
    const auto syntax = co_await as_outcome(db.query("selec 1"));
    BOOST_TEST(state_of(syntax.error()) == postgres::sqlstate::syntax_error);
    const auto more = co_await as_outcome(db.query("select 1; select 2")); // one statement
    BOOST_TEST(state_of(more.error()) == postgres::sqlstate::syntax_error);
    const auto too_few = co_await as_outcome(db.query("select $1::int"));
    BOOST_TEST(!too_few);
    const auto both = co_await db.execute("select 1; select 2");
    BOOST_TEST(both.only()[0].get<int>() == 2);
    BOOST_TEST(db.usable());
    co_await db.ping();
    const auto copied = co_await as_outcome(db.execute("copy t to stdout"));
    BOOST_TEST(describe(copied.error()).find("COPY is not supported") != std::string::npos);
    BOOST_TEST(!db.usable());
    const auto after = co_await as_outcome(db.ping());
    BOOST_CHECK_THROW(std::rethrow_exception(after.error()), postgres::connection_error);
  });
}

TROUPE_TEST_CASE(much_goes_both_ways, .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    auto db = co_await open_connection(server.local());
    const std::string much(20'000'000, 'x');
    const auto r = co_await db.query("select $1::text, length($1::text)", much);
    BOOST_TEST((r.only()[0].text() == much));
    BOOST_TEST(r.only()[1].get<std::size_t>() == much.size());
  });
}

TROUPE_TEST_CASE(a_cancelled_statement_stops_in_the_server_too, .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    for (const std::string& where : {server.local(), server.url()}) {
      auto db = co_await open_connection(where);
      auto other = co_await open_connection(server.local());
      co_await with_nursery([&](nursery& n) -> task<> {
        const auto asleep = n.start_soon(
          [&]() -> task<> { static_cast<void>(co_await db.query("select pg_sleep(600)")); });
        co_await until_it_runs(other, db.backend());
        asleep.cancel();
      });
      BOOST_TEST(db.usable()); // and now at once
      const auto r = co_await db.query("select 'again'");
      BOOST_TEST(r.only()[0].text() == "again");
      const bool begun = co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
        s.cancel();
        static_cast<void>(co_await db.query("create table never ()"));
      });
      BOOST_TEST(!begun);
      const auto not_there = co_await as_outcome(db.query("select * from never"));
      BOOST_TEST(state_of(not_there.error()) == postgres::sqlstate::undefined_table);
    }
  });
}

TROUPE_TEST_CASE(a_server_that_does_not_stop_is_given_up, .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    postgres::connection_options options;
    options.cancel_limit = 50ms;
    auto db = co_await open_connection(server.local(), options);
    postgres_server::freeze(db.backend());
    const bool answered = co_await move_on_after(
      20ms, [&]() -> task<> { static_cast<void>(co_await db.query("select 1")); });
    BOOST_TEST(!answered);
    BOOST_TEST(!db.usable());
    const auto after = co_await as_outcome(db.ping());
    BOOST_TEST(describe(after.error()).find("did not stop") != std::string::npos);
    postgres_server::thaw(db.backend());
  });
}

TROUPE_TEST_CASE(a_connection_that_is_lost_says_so_ever_after, .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    auto killed = co_await open_connection(server.local());
    auto idle = co_await open_connection(server.url());
    auto killer = co_await open_connection(server.local());
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        const auto lost = co_await as_outcome(killed.query("select pg_sleep(600)"));
        BOOST_CHECK_THROW(std::rethrow_exception(lost.error()), postgres::connection_error);
        BOOST_TEST(state_of(lost.error()) == postgres::sqlstate::admin_shutdown);
      });
      co_await until_it_runs(killer, killed.backend());
      const auto said = co_await killer.query("select pg_terminate_backend($1), "
                                              "pg_terminate_backend($2, 5000)",
                                              killed.backend(), idle.backend());
      BOOST_TEST(said.only()[0].get<bool>());
    });
    BOOST_TEST(!killed.usable());
    BOOST_TEST(!idle.usable()); // heard of it without asking
    for (auto* c : {&killed, &idle}) {
      const auto after = co_await as_outcome(c->query("select 1"));
      BOOST_CHECK_THROW(std::rethrow_exception(after.error()), postgres::connection_error);
    }
    co_await server.crash();
    const auto lost = co_await as_outcome(killer.query("select 1"));
    BOOST_CHECK_THROW(std::rethrow_exception(lost.error()), postgres::connection_error);
  });
}

TROUPE_TEST_CASE(two_tasks_at_a_time_are_a_mistake, .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    auto db = co_await open_connection(server.local());
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        const auto news = co_await db.next_notification();
        BOOST_ERROR(news.payload);
      });
      co_await checkpoint();
      const auto second = co_await as_outcome(db.query("select 1"));
      BOOST_CHECK_THROW(std::rethrow_exception(second.error()), usage_error);
      n.cancel();
    });
  });
}

TROUPE_TEST_CASE(news_and_notices_arrive, .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    std::string notices;
    postgres::connection_options options;
    options.on_notice = [&](std::string_view text) { notices += text; };
    auto listener = co_await open_connection(server.local(), options);
    auto speaker = co_await open_connection(server.local());
    static_cast<void>(co_await listener.execute("listen news"));
    const bool heard_some = co_await move_on_after(
      1ms, [&]() -> task<> { static_cast<void>(co_await listener.next_notification()); });
    BOOST_TEST(!heard_some); // and nothing was taken
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        static_cast<void>(co_await speaker.query("select pg_notify('news', $1)", "first"));
        static_cast<void>(co_await speaker.query("select pg_notify('news', $1)", "second"));
      });
      for (const char* text : {"first", "second"}) {
        const auto heard = co_await listener.next_notification();
        BOOST_TEST(heard.channel == "news");
        BOOST_TEST(heard.payload == text);
        BOOST_TEST(heard.sender == speaker.backend());
      }
    });
    static_cast<void>(co_await listener.execute("drop table if exists nothing"));
    BOOST_TEST(notices.find("\"nothing\" does not exist") != std::string::npos);
  });
}

BOOST_AUTO_TEST_SUITE_END()
