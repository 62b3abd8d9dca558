// SPDX-License-Identifier: BSD-3-Clause
#include "house.hpp"
#include "stores.hpp"

#include <troupe/chat/postgres_history.hpp>
#include <troupe/postgres/connection.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/troupe.hpp>

#include "support/postgres_server.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe_test;
using chat::history_line;

BOOST_AUTO_TEST_SUITE(chat_postgres_history)

TROUPE_TEST_CASE(postgres_keeps_lines_and_finds_its_way_back, .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    const auto store = chat::open_history(server.url());
    BOOST_TEST(store->name() == "PostgreSQL");
    BOOST_TEST((co_await store->recent("lobby", 10)).empty());
    const std::vector<history_line> lines = {{"lobby", 1, "ann", "it's \"quoted\" \\ {1,2}"},
                                             {"lobby", 2, "b\u00f6b", "\u00fc, NULL"},
                                             {"den", 3, "eve", "null"}};
    co_await store->append(lines);
    co_await store->append(lines); // no mistake
    BOOST_TEST(
      (co_await store->recent("lobby", 10) == std::vector(lines.begin(), lines.end() - 1)));
    BOOST_TEST((co_await store->recent("lobby", 1)).front().id == 2);
    co_await server.stop();
    BOOST_CHECK_THROW(co_await store->append(lines), chat::history_error);
    BOOST_CHECK_THROW(static_cast<void>(co_await store->recent("den", 1)), chat::history_error);
    co_await server.start();
    const std::vector<history_line> more = {{"den", 4, "eve", "back"}};
    co_await store->append(more);
    BOOST_TEST((co_await store->recent("den", 9)).size() == 2U);
    co_await store->close();
  });
}

TROUPE_TEST_CASE(postgres_keeps_seven_lines_of_a_room, .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    const auto store = chat::open_history(server.url(), 7);
    co_await check_seven_lines(*store);
    auto db = co_await postgres::open_connection(server.url());
    const auto count = co_await db.query("select count(*) from chat_lines");
    BOOST_TEST(count[0][0].get<int>() == 9);
    chat::postgres_history fewer(server.url(), 3); // of what is there
    BOOST_TEST((co_await fewer.recent("lobby", 100) == some_lines(18, 21)));
    co_await fewer.append(some_lines(21, 22));
    BOOST_TEST((co_await fewer.recent("lobby", 100) == some_lines(19, 22)));
    co_await fewer.close();
    co_await store->close();
  });
}

TROUPE_TEST_CASE(postgres_with_a_limit_does_not_grow, .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    chat::postgres_history store(server.url(), 200);
    auto db = co_await postgres::open_connection(server.url());
    std::int64_t most = 0;
    for (int i = 0; i < 1000; i += 10) {
      co_await store.append(some_lines(i, i + 10));
      const auto count = co_await db.query("select count(*) from chat_lines");
      most = std::max(most, count[0][0].get<std::int64_t>());
    }
    BOOST_TEST(most <= 220);
    BOOST_TEST(most >= 200);
    BOOST_TEST((co_await store.recent("lobby", 1000) == some_lines(800, 1000)));
    co_await store.close();
  });
}

BOOST_AUTO_TEST_SUITE_END()
