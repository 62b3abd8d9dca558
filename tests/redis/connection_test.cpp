// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/outcome.hpp>
#include <troupe/redis/connection.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/testing/network.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include "support/redis_server.hpp"
#include "wired.hpp"

#include <boost/test/unit_test.hpp>

#include <optional>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using redis::open_connection;
using troupe_test::redis_server;
using troupe_test::wired;
using troupe_test::with_redis;

static_assert(std::movable<redis::connection> && !std::copyable<redis::connection>);

BOOST_AUTO_TEST_SUITE(redis_connections)

TROUPE_TEST_CASE(a_command_is_sent_and_its_reply_comes_back) {
  auto [db, other] = wired();
  other.outgoing()->put("$5\r\nhello\r\n");
  const auto r = co_await db.command("get", "greeting");
  BOOST_TEST(r.get<std::string>() == "hello");
  BOOST_TEST(other.incoming()->bytes() == "*2\r\n$3\r\nget\r\n$8\r\ngreeting\r\n");
  BOOST_TEST(db.usable());
  other.outgoing()->put("-WRONGTYPE not a number\r\n");
  try {
    static_cast<void>(co_await db.command("incr", "greeting"));
    BOOST_ERROR("no error");
  } catch (const redis::error& e) {
    BOOST_TEST(e.code() == "WRONGTYPE");
    BOOST_TEST(e.what() == std::string("redis: incr: WRONGTYPE not a number"));
  }
  BOOST_TEST(db.usable());
}

TROUPE_TEST_CASE(a_batch_is_one_round_trip) {
  auto [db, other] = wired();
  redis::batch b;
  b.add("incr", "a").add("incr", "b").add("nonsense");
  other.outgoing()->put(":1\r\n:2\r\n-ERR unknown command\r\n");
  const auto replies = co_await db.run(std::move(b));
  BOOST_REQUIRE(replies.size() == 3U);
  BOOST_TEST(replies[1].get<int>() == 2);
  BOOST_TEST(replies[2].is_error());
  const auto none = co_await db.run(redis::batch());
  BOOST_TEST(none.empty());
}

TROUPE_TEST_CASE(a_command_that_is_cut_off_breaks_the_connection) {
  auto [db, other] = wired();
  const bool begun = co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
    s.cancel();
    static_cast<void>(co_await db.command("flushall"));
  });
  BOOST_TEST(!begun);
  BOOST_TEST(other.incoming()->bytes() == ""); // it was not sent
  BOOST_TEST(db.usable());
  const bool answered = co_await move_on_after(
    1s, [&]() -> task<> { static_cast<void>(co_await db.command("get", "x")); });
  BOOST_TEST(!answered);
  BOOST_TEST(!db.usable());
  other.outgoing()->put("+late\r\n");
  const auto after = co_await as_outcome(db.command("get", "y"));
  BOOST_CHECK_THROW(std::rethrow_exception(after.error()), redis::connection_broken);
}

TROUPE_TEST_CASE(an_end_garbage_and_two_tasks_are_errors) {
  {
    auto [db, other] = wired();
    co_await other.send_eof();
    const auto ended = co_await as_outcome(db.command("ping"));
    BOOST_CHECK_THROW(std::rethrow_exception(ended.error()), end_of_stream);
    BOOST_TEST(!db.usable());
  }
  {
    auto [db, other] = wired();
    other.outgoing()->put("HTTP/1.1 200 OK\r\n");
    const auto garbage = co_await as_outcome(db.command("ping"));
    BOOST_CHECK_THROW(std::rethrow_exception(garbage.error()), redis::protocol_error);
    BOOST_TEST(!db.usable());
  }
  auto [db, other] = wired();
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> { static_cast<void>(co_await db.command("ping")); });
    co_await checkpoint();
    co_await checkpoint();
    const auto second = co_await as_outcome(db.command("ping"));
    BOOST_CHECK_THROW(std::rethrow_exception(second.error()), usage_error);
    other.outgoing()->put("+PONG\r\n");
  });
  BOOST_TEST(db.usable());
}

TROUPE_TEST_CASE(bad_addresses_are_refused_without_saying_the_password) {
  for (const char* bad : {"localhost", "http://localhost", "redis://h:x", "unix://", "redis://[::1",
                          "redis://h?x=1", "redis://:%zz@h", "redis://u:geheim@h:12345x"}) {
    BOOST_TEST_CONTEXT(bad) {
      const auto refused = co_await as_outcome(open_connection(bad));
      BOOST_CHECK_THROW(std::rethrow_exception(refused.error()), std::invalid_argument);
      BOOST_TEST(describe(refused.error()).find("geheim") == std::string::npos);
    }
  }
}

TROUPE_TEST_CASE(talks_to_a_real_server, .virtual_time = false) {
  co_await with_redis([](redis_server& server) -> task<> {
    for (const std::string& where :
         {server.url(), server.path(), "unix://" + server.path() + "?db=2", server.url() + "/3",
          "redis://localhost:" + std::to_string(server.port()) + "?db=1"}) {
      BOOST_TEST_CONTEXT(where) {
        auto db = co_await open_connection(where);
        BOOST_TEST((co_await db.command("incr", "visits")).get<int>() == 1);
        const std::string binary("\0\r\n$\xff", 5);
        static_cast<void>(co_await db.command("set", binary, binary));
        BOOST_TEST((co_await db.command("get", binary)).get<std::string>() == binary);
        BOOST_TEST(!(co_await db.command("get", "none")).get<std::optional<int>>());
        static_cast<void>(co_await db.command("rpush", "list", 1, 2, 3));
        const auto list = (co_await db.command("lrange", "list", 0, -1)).get<std::vector<int>>();
        BOOST_TEST((list == std::vector<int>{1, 2, 3}));
        const std::string much(5'000'000, 'x');
        static_cast<void>(co_await db.command("set", "much", much));
        const bool same = (co_await db.command("get", "much")).text() == much;
        BOOST_TEST(same);
        const auto wrong = co_await as_outcome(db.command("incr", "list"));
        BOOST_CHECK_THROW(std::rethrow_exception(wrong.error()), redis::error);
        static_cast<void>(co_await db.command("flushall"));
      }
    }
    auto db = co_await open_connection(server.url());
    BOOST_TEST(db.usable());
    co_await server.crash();
    BOOST_TEST(!db.usable()); // without asking
    const auto refused = co_await as_outcome(open_connection(server.url()));
    BOOST_CHECK_THROW(std::rethrow_exception(refused.error()), connection_refused);
    server.password("a b@c");
    co_await server.start();
    const auto stranger = co_await as_outcome(open_connection(server.url() + "/1"));
    BOOST_TEST(describe(stranger.error()).find("NOAUTH") != std::string::npos);
    const std::string port = std::to_string(server.port());
    const auto guessed = co_await as_outcome(open_connection("redis://:a@127.0.0.1:" + port));
    BOOST_CHECK_THROW(std::rethrow_exception(guessed.error()), redis::error);
    auto known = co_await open_connection("redis://default:a%20b%40c@127.0.0.1:" + port);
    BOOST_TEST((co_await known.command("ping")).text() == "PONG");
  });
}

TROUPE_TEST_CASE(hears_what_is_published, .virtual_time = false) {
  co_await with_redis([](redis_server& server) -> task<> {
    auto listener = co_await open_connection(server.url());
    auto speaker = co_await open_connection(server.path());
    static_cast<void>(co_await listener.command("subscribe", "news"));
    static_cast<void>(co_await listener.command("psubscribe", "w*"));
    const bool heard_some = co_await move_on_after(
      1ms, [&]() -> task<> { static_cast<void>(co_await listener.next_message()); });
    BOOST_TEST(!heard_some);
    static_cast<void>(co_await speaker.command("publish", "news", "first"));
    static_cast<void>(co_await speaker.command("publish", "weather", "second"));
    const auto first = co_await listener.next_message();
    BOOST_TEST(first.channel == "news");
    BOOST_TEST(first.payload == "first");
    const auto second = co_await listener.next_message();
    BOOST_TEST(second.channel == "weather");
    BOOST_TEST(second.pattern == "w*");
  });
}

TROUPE_TEST_CASE(a_frozen_server_is_left_when_the_time_is_up, .virtual_time = false) {
  co_await with_redis([](redis_server& server) -> task<> {
    auto db = co_await open_connection(server.url());
    server.freeze();
    const bool answered = co_await move_on_after(
      10ms, [&]() -> task<> { static_cast<void>(co_await db.command("ping")); });
    BOOST_TEST(!answered);
    BOOST_TEST(!db.usable());
    server.thaw();
  });
}

BOOST_AUTO_TEST_SUITE_END()
