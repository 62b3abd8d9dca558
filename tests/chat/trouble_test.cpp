// SPDX-License-Identifier: BSD-3-Clause
// A chat whose store fails, hangs, is locked or full: what newcomers are told, and who waits.
#include "house.hpp"
#include "stranger.hpp"
#include "support/temporary_directory.hpp"

#include <troupe/chat/sqlite_history.hpp>

#include <boost/test/unit_test.hpp>
#include <caf/exit_reason.hpp>

#include <string>
#include <vector>

using namespace troupe_test;

namespace {

using talk = std::vector<std::string>;

/// What somebody who comes now is told.
task<talk> newcomer(std::string nick) {
  guest g = co_await guest::join(std::move(nick));
  co_await g.say("/who"); // what is wrong with the store is said before the answer
  co_await g.hear("* in lobby:");
  co_return g.talk();
}

task<> say_and_hear(guest& g, std::string line) {
  co_await g.say(line);
  co_await g.hear(": " + line);
}

/// Opens a chat on a store that can be hurt; nobody may wait for ever.
void open_frail(house& h, const std::function<task<>(chat::service&, frail_history&)>& guests,
                std::unique_ptr<frail_history> owned = std::make_unique<frail_history>()) {
  frail_history& store = *owned;
  h.open(std::move(owned), [&](chat::service& chat) -> task<> {
    co_await fail_after(
      10min, [&] { return guests(chat, store); }, "the guests");
  });
}

} // namespace

BOOST_AUTO_TEST_SUITE(chat_trouble)

BOOST_AUTO_TEST_CASE(lines_that_cannot_be_written_at_the_end_are_counted_aloud) {
  house h;
  open_frail(h, [](chat::service&, frail_history& store) -> task<> {
    guest ann = co_await guest::join("ann");
    store.broken = "the disk is full";
    for (int i = 0; i < 3; ++i)
      co_await say_and_hear(ann, "line " + std::to_string(i));
  });
  BOOST_TEST(h.log.find("3 lines are lost") != std::string::npos, h.log);
}

BOOST_AUTO_TEST_CASE(p18_newcomers_are_told_what_is_not_kept) {
  house h;
  open_frail(h, [](chat::service& chat, frail_history& store) -> task<> {
    guest ann = co_await guest::join("ann");
    co_await say_and_hear(ann, "one");
    store.broken = "the disk is full";
    co_await say_and_hear(ann, "two");
    const talk then{"ann: one", "ann: two (not kept)"};
    BOOST_TEST(co_await newcomer("eve") == then, boost::test_tools::per_element());
    send_exit(chat.room("lobby"), caf::exit_reason::unhandled_exception); // its next life knows
    co_await ann.say("/who");
    co_await ann.hear("* in lobby:");
    BOOST_TEST(co_await newcomer("bob") == then, boost::test_tools::per_element());
    store.broken.clear();
    co_await ann.hear("* history is kept again");
    const talk now{"ann: one", "ann: two"};
    BOOST_TEST(co_await newcomer("cat") == now, boost::test_tools::per_element());
    BOOST_TEST((co_await store.kept.recent("lobby", 10)).size() == 2U);
  });
}

BOOST_AUTO_TEST_CASE(p18_lost_lines_are_never_shown_as_kept) {
  house h;
  h.options.history_backlog = 2;
  open_frail(h, [](chat::service& chat, frail_history& store) -> task<> {
    guest ann = co_await guest::join("ann");
    store.broken = "the disk is full";
    for (const char* line : {"one", "two", "three"})
      co_await say_and_hear(ann, line);
    store.broken.clear();
    co_await ann.hear("* history is kept again; 1 lines were lost");
    co_await say_and_hear(ann, "four");
    const talk shown{"ann: one", "ann: two", "ann: three (not kept)", "ann: four"};
    BOOST_TEST(co_await newcomer("eve") == shown, boost::test_tools::per_element());
    send_exit(chat.room("lobby"), caf::exit_reason::unhandled_exception);
    co_await say_and_hear(ann, "five");
    BOOST_TEST((co_await newcomer("bob")).at(2) == shown[2]);
    BOOST_TEST((co_await store.kept.recent("lobby", 10)).size() == 4U);
  });
}

BOOST_AUTO_TEST_CASE(p18_lines_are_heard_once_though_the_past_comes_late) {
  house h;
  h.options.history_shown = 2;
  auto broken = std::make_unique<frail_history>();
  broken->broken = "gone";
  open_frail(
    h,
    [](chat::service&, frail_history& store) -> task<> {
      guest ann = co_await guest::join("ann");
      for (int i = 0; i < 5; ++i)
        co_await say_and_hear(ann, "line " + std::to_string(i));
      store.can_be_read = true; // that is all that works
      co_await sleep_for(3s);
      static_cast<void>(co_await newcomer("bob"));
      store.broken.clear();
      co_await ann.hear("* history is kept again");
      co_await say_and_hear(ann, "the last");
      BOOST_TEST(ann.talk().size() == 6U, ann.all());
      BOOST_TEST((co_await store.kept.recent("lobby", 10)).size() == 6U);
    },
    std::move(broken));
}

BOOST_AUTO_TEST_CASE(past_that_does_not_come_holds_nobody_up) {
  house h;
  auto silent = std::make_unique<frail_history>();
  silent->silent_reads = true;
  open_frail(
    h,
    [](chat::service& chat, frail_history& store) -> task<> {
      const std::vector<chat::history_line> past{{"lobby", 1, "old", "from yesterday"}};
      co_await store.kept.append(past);
      co_await sleep_for(10s); // it has been asked for since
      guest ann = co_await guest::join("ann");
      co_await ann.hear("* older lines cannot be read right now");
      for (int i = 0; i < 20; ++i) {
        const time_point before = current_time();
        static_cast<void>(co_await newcomer("guest" + std::to_string(i)));
        co_await say_and_hear(ann, "line " + std::to_string(i));
        BOOST_TEST((current_time() - before < 100ms));
        co_await sleep_for(i % 2 == 0 ? 500ms : 3s);
      }
      send_exit(chat.room("lobby"), caf::exit_reason::unhandled_exception);
      const time_point crashed = current_time();
      co_await say_and_hear(ann, "and after a crash");
      BOOST_TEST((current_time() - crashed < 1s));
      BOOST_TEST(store.reads < 10); // it is not asked all the time, nor for each guest
      store.silent_reads = false;
      co_await sleep_for(20s);
      const talk all = co_await newcomer("bob");
      BOOST_REQUIRE(all.size() == 22U);
      BOOST_TEST(all.front() == "old: from yesterday");
      BOOST_TEST(all[1] == "ann: line 0");
      BOOST_TEST(all.back() == "ann: and after a crash");
    },
    std::move(silent));
}

BOOST_AUTO_TEST_CASE(first_guest_waits_for_the_past_as_long_as_patience_is) {
  house h;
  open_frail(h, [](chat::service&, frail_history& store) -> task<> {
    guest ann = co_await guest::join("ann");
    store.silent_reads = true;
    const time_point before = current_time();
    co_await ann.say("/join den");
    co_await say_and_hear(ann, "is anybody here?");
    BOOST_TEST((current_time() - before >= 2s));
    BOOST_TEST((current_time() - before < 2200ms));
  });
}

BOOST_AUTO_TEST_CASE(p18_append_that_never_ends_is_tried_again_and_nothing_is_kept_twice) {
  house h;
  open_frail(h, [](chat::service& chat, frail_history& store) -> task<> {
    guest ann = co_await guest::join("ann");
    store.silent_appends = 3; // has written, and its connection is dead
    const time_point before = current_time();
    co_await say_and_hear(ann, "one");
    co_await say_and_hear(ann, "two");
    BOOST_TEST((current_time() - before < 3s));
    co_await ann.hear("* history is kept again");
    BOOST_TEST((current_time() - before < 80s)); // 10, 20 and 40 s, and a second between
    co_await say_and_hear(ann, "three");
    BOOST_TEST(chat.statistics().kept == 3U);
    const auto kept = co_await store.kept.recent("lobby", 10);
    BOOST_REQUIRE(kept.size() == 3U);
    BOOST_TEST(kept[0].text == "one");
    store.silent_appends = 1; // it has answered since: the first limit counts again
    const time_point again = current_time();
    co_await say_and_hear(ann, "four");
    co_await ann.hear("* history is kept again");
    BOOST_TEST((current_time() - again < 12s));
  });
}

BOOST_AUTO_TEST_CASE(p18_store_that_is_only_slow_is_given_the_time_it_needs) {
  house h;
  open_frail(h, [](chat::service&, frail_history& store) -> task<> {
    guest ann = co_await guest::join("ann");
    store.delay = 1min;
    co_await say_and_hear(ann, "one");
    co_await ann.hear("* history is kept again");
    BOOST_TEST((co_await store.kept.recent("lobby", 10)).size() == 1U);
  });
}

BOOST_AUTO_TEST_CASE(p18_locked_sqlite_is_said_and_chatting_goes_on) {
  const temporary_directory here;
  const std::string file = here / "chat.db";
  house h;
  h.open(std::make_unique<chat::sqlite_history>(file, chat::sqlite_options{.busy_limit = 1ms}),
         [&](chat::service& chat) -> task<> {
           guest ann = co_await guest::join("ann");
           co_await say_and_hear(ann, "one");
           stranger other(file);
           other.run("BEGIN IMMEDIATE");
           co_await ann.say("two");
           co_await ann.hear("ann: two (not kept)");
           co_await ann.hear("database is locked");
           co_await ann.say("three");
           co_await ann.hear("ann: three (not kept)");
           const talk all{"ann: one", "ann: two (not kept)", "ann: three (not kept)"};
           BOOST_TEST(co_await newcomer("bob") == all, boost::test_tools::per_element());
           other.run("ROLLBACK");
           co_await ann.hear("* history is kept again");
           co_await ann.say("four");
           BOOST_TEST(co_await ann.hear("four") == "ann: four");
           BOOST_TEST(chat.statistics().kept == 4U);
         });
}

BOOST_AUTO_TEST_CASE(p18_full_sqlite_is_said_and_chatting_goes_on) {
  const temporary_directory here;
  const std::string file = here / "chat.db";
  stranger ballast(file); // it takes room, for a while
  ballast.run("CREATE TABLE ballast (bytes)");
  ballast.run("INSERT INTO ballast VALUES (zeroblob(100000))");
  house h;
  h.options.lines_per_second = 1000;
  const std::string words(900, '.');
  std::size_t said = 0;
  h.open(std::make_unique<chat::sqlite_history>(file, chat::sqlite_options{.max_pages = 40}),
         [&](chat::service& chat) -> task<> {
           guest ann = co_await guest::join("ann");
           bool kept = true;
           while (kept && said < 200) {
             co_await ann.say(words + std::to_string(said));
             kept = !(co_await ann.hear(words + std::to_string(said))).ends_with("(not kept)");
             ++said;
           }
           BOOST_TEST(said > 10U);
           BOOST_REQUIRE(!kept);
           co_await ann.hear("database or disk is full");
           co_await ann.say("more");
           co_await ann.hear("ann: more (not kept)");
           BOOST_TEST((co_await newcomer("bob")).back() == "ann: more (not kept)");
           ballast.run("DROP TABLE ballast");
           co_await ann.hear("* history is kept again");
           BOOST_TEST((co_await newcomer("eve")).back() == "ann: more");
           BOOST_TEST(chat.statistics().kept == said + 1);
         });
  BOOST_TEST(static_cast<std::size_t>(stranger(file).number("SELECT count(*) FROM chat_lines"))
             == said + 1);
}

BOOST_AUTO_TEST_SUITE_END()
