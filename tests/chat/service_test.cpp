// SPDX-License-Identifier: BSD-3-Clause
#include "house.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe_test;

namespace {

std::unique_ptr<chat::history_store> memory() { return std::make_unique<chat::memory_history>(); }

std::string text_of(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& l : lines)
    text += l + '\n';
  return text;
}

} // namespace

BOOST_AUTO_TEST_SUITE(chat_service)

BOOST_AUTO_TEST_CASE(a_room_that_is_opened_again_shows_what_was_not_written_yet) {
  house h;
  auto store = std::make_unique<frail_history>();
  store->delay = 1s;
  h.open(std::move(store), [](chat::service&) -> task<> {
    {
      guest ann = co_await guest::join("ann");
      co_await ann.say("/join den");
      co_await ann.hear("* you are in den");
      co_await ann.say("one");
      co_await sleep_for(10ms);
    } // the connection is closed, and so is the room
    co_await sleep_for(10ms);
    guest bob = co_await guest::join("bob");
    co_await bob.say("/join den");
    co_await bob.hear("* you are in den");
    BOOST_TEST(bob.talk().empty());
    co_await bob.say("two");
    co_await bob.hear("bob: two");
    BOOST_TEST(text_of(bob.talk()) == "ann: one\nbob: two\n");
  });
}

BOOST_AUTO_TEST_CASE(people_talk_in_rooms) {
  house h;
  h.open(memory(), [](chat::service& chat) -> task<> {
    guest bob = co_await guest::join("bob");
    co_await bob.say("is anybody there?");
    co_await bob.hear("bob: is anybody there?"); // it is kept
    guest ann = co_await guest::join("ann");
    BOOST_TEST(text_of(ann.talk()) == "bob: is anybody there?\n"); // history
    co_await bob.hear("* ann has joined lobby");
    co_await ann.say("hi \u00fc");
    co_await bob.hear("ann: hi \u00fc");
    co_await ann.say("/who");
    BOOST_TEST(co_await ann.hear("* in lobby:") == "* in lobby: ann bob");
    co_await ann.say("/join den");
    co_await ann.hear("* you are in den");
    co_await bob.hear("* ann has left lobby");
    co_await ann.say("secret");
    co_await ann.hear("ann: secret");
    co_await bob.say("/rooms");
    BOOST_TEST(co_await bob.hear("* rooms:") == "* rooms:, den 1, lobby 1");
    BOOST_TEST(chat.statistics().clients == 2U);
    BOOST_TEST(chat.statistics().rooms == 2U);
    BOOST_TEST(chat.statistics().kept == 3U);
    co_await ann.say("/quit");
    co_await ann.hear("goodbye");
    co_await ann.hear_end();
    co_await bob.say("/who");
    co_await bob.hear("in lobby: bob");
    BOOST_TEST(bob.all().find("secret") == std::string::npos);
  });
  BOOST_TEST(h.log.find("ann has left") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(names_are_unique_and_can_be_seen) {
  house h;
  h.open(memory(), [](chat::service&) -> task<> {
    guest bob = co_await guest::join("bob");
    guest eve = co_await guest::come();
    for (const char* bad :
         {"", "no blanks", "/bob", "*", "zero\u200bwidth", "\xff", "abcdefghijklmnopqrstu"})
      co_await eve.say(bad);
    co_await eve.say("BOB");
    co_await eve.hear("* BOB is taken");
    co_await eve.say("eve");
    co_await eve.hear("* you are in lobby");
  });
}

BOOST_AUTO_TEST_CASE(whispers_are_for_one) {
  house h;
  h.open(memory(), [](chat::service&) -> task<> {
    guest ann = co_await guest::join("ann");
    guest bob = co_await guest::join("bob");
    guest eve = co_await guest::join("eve");
    co_await ann.say("/msg BOB the key is 42");
    co_await bob.hear("ann to bob, in private: the key is 42");
    co_await ann.hear("ann to BOB, in private: the key is 42");
    co_await ann.say("/msg nobody hello");
    co_await ann.hear("* there is no nobody");
    co_await ann.say("/msg bob");
    co_await ann.hear("* try: /msg NICK TEXT");
    co_await ann.say("that is all");
    co_await eve.hear("ann: that is all");
    BOOST_TEST(eve.all().find("42") == std::string::npos);
  });
}

BOOST_AUTO_TEST_CASE(bad_input_is_answered) {
  house h;
  h.options.burst = 100;
  h.open(memory(), [](chat::service&) -> task<> {
    guest bob = co_await guest::join("bob");
    guest bad = co_await guest::join("bad");
    co_await bad.say("\xff\xfe broken");
    co_await bad.hear("it is not UTF-8");
    co_await bad.say("\xed\xa0\x80 surrogate");
    co_await bad.hear("it is not UTF-8");
    co_await bad.say(std::string(500'000, 'x'));
    co_await bad.hear("more than 1000 bytes");
    co_await bad.say(std::string(1000, 'x'));
    co_await bob.hear("bad: " + std::string(1000, 'x'));
    co_await bad.say("\x1b[31mred\x7f \u0085");
    co_await bob.hear("bad: ?[31mred? ?");
    co_await bad.say("/nonsense");
    co_await bad.hear("commands:");
    co_await bad.say("/join no blanks");
    co_await bad.hear("a room has a name like a nick name");
    co_await bad.stream().write_all("half a li");
    bad.stream().abort();
    co_await bob.hear("bad has left lobby");
  });
}

BOOST_AUTO_TEST_CASE(flooding_client_is_slowed_down) {
  house h;
  h.open(memory(), [](chat::service&) -> task<> {
    guest bob = co_await guest::join("bob");
    guest flood = co_await guest::join("flood");
    const auto begin = current_time();
    std::string all;
    for (int i = 0; i < 120; ++i)
      all += "line " + std::to_string(i) + "\n";
    co_await flood.stream().write_all(all);
    co_await flood.hear("* not so fast");
    co_await bob.hear("flood: line 119");
    BOOST_TEST((current_time() - begin > 9s)); // 20 at once, 10 a second
    BOOST_TEST((current_time() - begin < 13s));
  });
}

BOOST_AUTO_TEST_CASE(client_without_a_name_is_sent_away) {
  house h;
  h.open(memory(), [](chat::service&) -> task<> {
    guest nobody = co_await guest::come();
    const auto begin = current_time();
    co_await nobody.hear_end();
    BOOST_TEST((current_time() - begin < 65s));
    BOOST_TEST(nobody.all().find("a name would have been nice") != std::string::npos);
  });
}

BOOST_AUTO_TEST_CASE(soft_stop_says_goodbye) {
  house h;
  h.open(memory(), [&](chat::service&) -> task<> {
    guest ann = co_await guest::join("ann");
    guest nobody = co_await guest::come();
    h.stop();
    co_await ann.hear_end();
    BOOST_TEST(ann.heard.back() == "* the server is shutting down, goodbye");
    co_await nobody.hear_end();
    BOOST_TEST(nobody.heard.back() == "* the server is shutting down, goodbye");
  });
}

BOOST_AUTO_TEST_SUITE_END()
