// SPDX-License-Identifier: BSD-3-Clause
// A chat on a PostgreSQL server that restarts, crashes and freezes.
#include "house.hpp"

#include <troupe/chat/postgres_history.hpp>
#include <troupe/postgres/connection.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/troupe.hpp>

#include "support/postgres_server.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <functional>
#include <iterator>
#include <list>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace troupe_test;

namespace {

constexpr std::string_view not_kept = " (not kept)";

using lines = std::vector<std::string>;

/// A chat on that server, over real TCP; ended softly behind its guests.
task<> open_chat(const postgres_server& server,
                 const std::function<task<>(chat::service&, std::uint16_t port)>& guests,
                 duration patience = 5s) {
  chat::service_options options;
  options.patience = patience;
  options.retry_after = 50ms;
  options.lines_per_second = 200;
  chat::service chat(std::make_unique<chat::postgres_history>(server.url()), options);
  co_await with_nursery([&](nursery& n) -> task<> {
    co_await n.start([&](task_status<>& ready) { return chat.run(ready); });
    tcp_listener listener(0, {.address = "127.0.0.1"});
    const std::uint16_t port = listener.port();
    n.start_soon([&]() { return serve_listener(chat.tcp(), std::move(listener)); });
    const auto all = [&] { return guests(chat, port); };
    co_await fail_after(40s, all, "the guests");
    n.stop(5s);
  });
}

task<guest> come(std::string nick, std::uint16_t port) {
  return guest::join(std::move(nick), "127.0.0.1", port);
}

/// What is in the history, as it is heard.
task<lines> history(const postgres_server& server) {
  auto db = co_await postgres::open_connection(server.url());
  const auto rows = co_await db.query("SELECT nick || ': ' || text FROM chat_lines ORDER BY id");
  lines all;
  for (const postgres::row row : rows)
    all.push_back(row[0].get<std::string>());
  co_return all;
}

/// Each line is there once; those that were heard as kept are, and in the order in which they were.
void check_heard(const std::list<guest>& people, const lines& kept) {
  BOOST_TEST(std::set(kept.begin(), kept.end()).size() == kept.size());
  for (const guest& g : people) {
    auto place = kept.begin();
    for (const std::string& line : g.talk())
      if (!line.ends_with(not_kept)) {
        place = std::find(place, kept.end(), line);
        BOOST_REQUIRE_MESSAGE(place != kept.end(), "'" << line << "' is lost, or out of order");
      }
  }
}

/// People who talk, each line when the one before is shown, while `meanwhile(listener)` runs;
/// `listener` says nothing. Then all that they have heard is compared with the history.
task<> talk_while(postgres_server& server,
                  const std::function<task<>(chat::service&, guest& listener)>& meanwhile) {
  std::list<guest> people;
  co_await open_chat(server, [&](chat::service& chat, std::uint16_t port) -> task<> {
    for (const char* nick : {"ann", "bob", "cat"})
      people.push_back(co_await come(nick, port));
    guest listener = co_await come("eve", port);
    bool over = false;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (guest& g : people)
        n.start_soon(
          [&over](guest& who) -> task<> {
            for (int i = 0; !over; ++i) {
              const std::string line = "line " + std::to_string(i);
              co_await who.say(line);
              co_await who.hear(": " + line);
            }
          },
          std::ref(g));
      co_await meanwhile(chat, listener);
      over = true;
    });
    co_await listener.say("that is all");
    co_await listener.hear("eve: that is all");
    people.push_back(std::move(listener));
    BOOST_TEST(chat.statistics().waiting == 0U);
    BOOST_TEST(chat.statistics().kept == chat.statistics().lines);
  });
  check_heard(people, co_await history(server));
}

} // namespace

BOOST_AUTO_TEST_SUITE(chat_on_postgres)

TROUPE_TEST_CASE(p18_lines_on_postgres_survive_the_service, .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    lines said;
    for (int day = 0; day < 3; ++day)
      co_await open_chat(server, [&](chat::service& chat, std::uint16_t port) -> task<> {
        guest ann = co_await come("ann", port);
        BOOST_TEST(ann.talk() == said, boost::test_tools::per_element());
        guest bob = co_await come("bob", port);
        for (int i = 0; i < 5; ++i) {
          guest& who = i % 2 == 0 ? ann : bob;
          const std::string line = "it's {day} " + std::to_string(day) + " \"" + std::to_string(i);
          co_await who.say(line);
          said.push_back(co_await who.hear(": " + line));
        }
        BOOST_TEST(chat.statistics().kept == 5U);
        BOOST_TEST(!chat.statistics().trouble);
      });
    BOOST_TEST(co_await history(server) == said, boost::test_tools::per_element());
  });
}

TROUPE_TEST_CASE(p18_restarts_of_postgres_are_said_and_nothing_acknowledged_is_lost,
                 .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    co_await talk_while(server, [&](chat::service& chat, guest& eve) -> task<> {
      for (const bool by_force : {false, true}) {
        for (int i = 0; i < 30; ++i) // in the middle of it
          co_await eve.hear(": line ");
        if (by_force)
          co_await server.crash();
        else
          co_await server.stop();
        co_await eve.hear("* history is not kept right now");
        co_await eve.hear(not_kept.data());
        BOOST_TEST(chat.statistics().trouble);
        co_await server.start();
        co_await eve.hear("* history is kept again");
      }
      for (int i = 0; i < 30; ++i)
        BOOST_TEST(!(co_await eve.hear(": line ")).ends_with(not_kept));
    });
  });
}

TROUPE_TEST_CASE(p18_frozen_backend_is_said_and_its_connection_given_up, .virtual_time = false) {
  co_await with_postgres([](postgres_server& server) -> task<> {
    co_await open_chat(
      server,
      [&](chat::service&, std::uint16_t port) -> task<> {
        guest ann = co_await come("ann", port);
        co_await ann.say("one");
        const std::string heard = co_await ann.hear("ann: one");
        if (heard.ends_with(not_kept)) // on a machine that is very slow
          co_await ann.hear("* history is kept again");
        // it is kept: the backend is idle, and has locked nothing
        auto db = co_await postgres::open_connection(server.url());
        const auto writer = co_await db.query(
          "SELECT pid FROM pg_stat_activity WHERE query LIKE 'INSERT INTO chat_lines%'");
        BOOST_REQUIRE(writer.size() == 1U);
        const int pid = writer[0][0].get<int>();
        postgres_server::freeze(pid);
        co_await with_cleanup(
          [&]() -> task<> {
            co_await ann.say("two");
            co_await ann.hear("ann: two (not kept)");
            co_await ann.hear("* history is not kept right now: PostgreSQL does not answer");
            co_await ann.hear("* history is kept again"); // over another connection
          },
          [&]() -> task<> {
            postgres_server::thaw(pid); // it finds the line, and that it is there already
            co_return;
          },
          1s);
        co_await ann.say("three");
        co_await ann.hear("ann: three");
      },
      300ms);
    const lines all{"ann: one", "ann: two", "ann: three"};
    BOOST_TEST(co_await history(server) == all, boost::test_tools::per_element());
  });
}

BOOST_AUTO_TEST_SUITE_END()
