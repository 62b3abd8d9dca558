// SPDX-License-Identifier: BSD-3-Clause
#include "house.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>

#include <algorithm>
#include <memory>

using namespace troupe_test;

namespace {

std::unique_ptr<chat::history_store> memory() { return std::make_unique<chat::memory_history>(); }

void crash(const chat::service& chat, const std::string& room) {
  send_exit(chat.room(room), caf::exit_reason::unhandled_exception);
}

/// A store whose first append ends its thread of control in a way that nobody expects.
class surprising_history final : public chat::history_store {
public:
  task<> append(std::vector<chat::history_line> lines) override {
    co_await checkpoint();
    if (!std::exchange(surprised_, true))
      throw 42; // NOLINT
    co_await kept_.append(std::move(lines));
  }
  task<std::vector<chat::history_line>> recent(std::string room, std::size_t count) override {
    return kept_.recent(std::move(room), count);
  }
  task<> close() override { co_return; }
  [[nodiscard]] std::string name() const override { return "surprise"; }

private:
  chat::memory_history kept_;
  bool surprised_ = false;
};

} // namespace

BOOST_AUTO_TEST_SUITE(chat_crashes)

BOOST_AUTO_TEST_CASE(room_comes_back_with_its_members) {
  house h;
  h.open(memory(), [](chat::service& chat) -> task<> {
    guest ann = co_await guest::join("ann");
    guest bob = co_await guest::join("bob");
    co_await ann.say("before");
    co_await bob.hear("ann: before");
    const caf::actor before = chat.room("lobby");
    crash(chat, "lobby");
    co_await ann.say("after"); // to a room that is dying, dead, or new
    co_await bob.hear("ann: after");
    BOOST_TEST((chat.room("lobby") != before));
    co_await bob.say("/who");
    co_await bob.hear("in lobby: ann bob");
    guest eve = co_await guest::join("eve");
    BOOST_TEST(eve.talk().size() == 2U);
  });
  BOOST_TEST(h.log.find("has started again") != std::string::npos, h.log);
}

BOOST_AUTO_TEST_CASE(lines_under_way_are_said_by_the_next_life_once) {
  house h;
  auto owned = std::make_unique<frail_history>();
  frail_history& store = *owned;
  h.open(std::move(owned), [&](chat::service& chat) -> task<> {
    guest ann = co_await guest::join("ann");
    guest bob = co_await guest::join("bob");
    store.delay = 500ms;
    co_await ann.say("slow to be kept");
    co_await sleep_for(100ms);
    crash(chat, "lobby");
    co_await ann.hear("ann: slow to be kept");
    co_await ann.say("next");
    co_await bob.hear("ann: next");
    BOOST_REQUIRE(bob.talk().size() == 2U);
    BOOST_TEST(bob.talk()[0] == "ann: slow to be kept");
    BOOST_TEST((co_await store.kept.recent("lobby", 9)).size() == 2U);
  });
}

BOOST_AUTO_TEST_CASE(who_leaves_while_the_room_is_down_is_missed) {
  house h;
  h.open(memory(), [](chat::service& chat) -> task<> {
    guest ann = co_await guest::join("ann");
    guest bob = co_await guest::join("bob");
    crash(chat, "lobby");
    bob.stream().abort();
    co_await ann.hear("* bob has left lobby");
    co_await ann.say("/who");
    co_await ann.hear("in lobby: ann");
  });
}

BOOST_AUTO_TEST_CASE(line_on_which_the_room_crashes_is_dropped_and_no_other) {
  house h;
  h.options.on_line = [](const chat::history_line& l) {
    if (l.text == "poison")
      throw std::runtime_error("cannot bear it");
  };
  h.open(memory(), [](chat::service&) -> task<> {
    guest ann = co_await guest::join("ann");
    guest bob = co_await guest::join("bob");
    co_await ann.say("poison");
    co_await ann.say("sorry");
    co_await ann.hear("* your line was dropped: the room has crashed on it");
    co_await bob.hear("ann: sorry");
    BOOST_TEST(bob.talk().size() == 1U);
    co_await bob.say("no harm done");
    co_await ann.hear("bob: no harm done");
  });
}

BOOST_AUTO_TEST_CASE(hub_comes_back_with_names_and_rooms) {
  house h;
  bool crashed = false;
  h.options.log = [&](const std::string& what) {
    if (what.starts_with("eve has come") && !std::exchange(crashed, true))
      throw std::runtime_error("the hub has had enough");
  };
  h.open(memory(), [](chat::service& chat) -> task<> {
    guest ann = co_await guest::join("ann");
    guest bob = co_await guest::join("bob");
    co_await bob.say("/join den");
    co_await bob.hear("you are in den");
    guest eve = co_await guest::join("eve"); // the hub falls
    co_await eve.say("/rooms");
    BOOST_TEST(co_await eve.hear("* rooms:") == "* rooms:, den 1, lobby 2");
    co_await eve.say("/msg bob hello");
    co_await bob.hear("eve to bob, in private: hello");
    co_await ann.say("hello eve");
    co_await eve.hear("ann: hello eve");
    guest other = co_await guest::come();
    co_await other.say("bob");
    co_await other.hear("bob is taken");
    co_await bob.say("/join lobby"); // and the den closes
    co_await bob.hear("you are in lobby");
    co_await ann.say("/rooms");
    BOOST_TEST(co_await ann.hear("* rooms:") == "* rooms:, lobby 3");
    BOOST_TEST(chat.statistics().rooms == 1U);
  });
  BOOST_TEST(crashed);
}

BOOST_AUTO_TEST_CASE(writer_of_the_history_comes_back_with_its_lines) {
  house h;
  h.open(std::make_unique<surprising_history>(), [](chat::service& chat) -> task<> {
    guest ann = co_await guest::join("ann");
    co_await ann.say("one");
    BOOST_TEST(co_await ann.hear("one") == "ann: one");
    co_await ann.say("two");
    co_await ann.hear("ann: two");
    BOOST_TEST(chat.statistics().kept == 2U);
  });
}

BOOST_AUTO_TEST_CASE(ordinary_actors_chat_with_people) {
  house h;
  std::vector<std::string> heard;
  const auto robot = [&](caf::event_based_actor* me) -> caf::behavior {
    return {[me, &heard, seat = caf::actor()](const caf::actor& s) mutable {
      seat = s;
      me->become([me, &heard, seat](const chat::event& e) {
        heard.push_back(chat::to_text(e));
        if (e.what == chat::event_kind::line && e.text == "robot?")
          me->send(seat, chat::input{"yes, " + e.nick});
        if (e.what == chat::event_kind::whisper)
          me->quit();
      });
    }};
  };
  h.open(memory(), [&](chat::service& chat) -> task<> {
    guest ann = co_await guest::join("ann");
    const caf::actor bot = actor_system().spawn(robot);
    const chat::connect hello{"R2D2", bot};
    const auto seat = co_await request<caf::actor>(chat.address(), 1s, hello);
    send(bot, seat);
    co_await ann.hear("* R2D2 has joined lobby");
    co_await ann.say("robot?");
    co_await ann.hear("R2D2: yes, ann");
    co_await ann.say("/msg r2d2 switch yourself off");
    co_await ann.hear("* R2D2 has left lobby");
  });
  BOOST_REQUIRE(heard.size() > 4U);
  BOOST_TEST(heard[0] == "* you are called R2D2");
  BOOST_TEST(heard[3] == "ann: robot?");
  BOOST_TEST(heard[4] == "R2D2: yes, ann");
}

BOOST_AUTO_TEST_CASE(actor_that_does_not_answer_is_dropped) {
  house h;
  h.options.mail_limit = 60;
  h.options.lines_per_second = 1000;
  int heard = 0;
  const auto deaf = [&](caf::event_based_actor* me) -> caf::behavior {
    return {[me, &heard](const chat::event&) {
      ++heard;
      return me->make_response_promise(); // never answered
    }};
  };
  h.open(memory(), [&](chat::service& chat) -> task<> {
    guest ann = co_await guest::join("ann");
    const caf::actor bad = actor_system().spawn(deaf);
    const chat::connect hello{"bad", bad};
    static_cast<void>(co_await request<caf::actor>(chat.address(), 1s, hello));
    co_await ann.hear("* bad has joined lobby");
    for (int i = 0; i < 200; ++i) {
      co_await ann.say(std::to_string(i));
      co_await ann.hear("ann: " + std::to_string(i));
    }
    co_await ann.say("/who");
    co_await ann.hear("in lobby: ann");
    send_exit(bad, caf::exit_reason::user_shutdown);
  });
  BOOST_TEST(heard == 1);
}

BOOST_AUTO_TEST_SUITE_END()
