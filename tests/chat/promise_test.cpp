// SPDX-License-Identifier: BSD-3-Clause
#include "house.hpp"

#include <troupe/outcome.hpp>
#include <troupe/random.hpp>
#include <troupe/testing/explore.hpp>
#include <troupe/testing/test_failure.hpp>

#include <boost/test/unit_test.hpp>
#include <caf/exit_reason.hpp>

#include <algorithm>
#include <map>
#include <set>

using namespace troupe_test;

namespace {

/// What a member of a room has heard said, and what it was told of.
struct notes {
  std::vector<std::string> heard;
  std::set<std::string> acknowledged;
};

void require(bool holds, const std::string& what) {
  if (!holds)
    throw testing::test_failure(what);
}

std::uint64_t below(std::uint64_t n) { return random_bits() % n; }

/// Says `lines` lines, in one room, hears all, and may be cut off at any time.
task<> chatter(std::string nick, int lines, notes& to) {
  guest g = co_await guest::join(nick);
  const auto keep_notes = [&] {
    to.heard = g.talk();
    for (const std::string& line : to.heard)
      if (line.starts_with(nick + ": "))
        to.acknowledged.insert(line);
  };
  try {
    for (int i = 0; i < lines; ++i) {
      co_await sleep_for(std::chrono::milliseconds(below(20)));
      const std::string line = nick + " says " + std::to_string(i);
      co_await g.say(line);
      co_await g.hear(nick + ": " + line);
    }
    co_await sleep_for(2s); // until the others have ended
    co_await g.say("/quit");
    co_await g.hear_end();
  } catch (const std::exception&) { // NOLINT(bugprone-empty-catch): cut off
  }
  keep_notes();
}

/// All that a member has heard stands in the history, in this order and without a gap.
void check_order(const std::string& who, const notes& n, const std::vector<std::string>& history) {
  if (n.heard.empty())
    return;
  const auto begin = std::find(history.begin(), history.end(), n.heard.front());
  require(begin != history.end(), who + " has heard what is not in the history");
  const auto left = static_cast<std::size_t>(history.end() - begin);
  require(n.heard.size() <= left && std::equal(n.heard.begin(), n.heard.end(), begin),
          who + " has heard another order, or something twice, or not at all");
}

/// `store` outlives its service.
class borrowed_history final : public chat::history_store {
public:
  explicit borrowed_history(chat::history_store& of) : of_(of) {}
  task<> append(std::vector<chat::history_line> lines) override {
    return of_.append(std::move(lines));
  }
  task<std::vector<chat::history_line>> recent(std::string room, std::size_t count) override {
    return of_.recent(std::move(room), count);
  }
  task<> close() override { return of_.close(); }
  [[nodiscard]] std::string name() const override { return of_.name(); }

private:
  chat::history_store& of_;
};

/// Some people, one who never reads, a room that crashes, connections that break.
task<> evening(house& h) {
  frail_history store;
  std::map<std::string, notes> people;
  for (const char* nick : {"ann", "bob", "cat", "dan"})
    people[nick];
  std::vector<std::string> history;
  std::size_t said = 0;
  co_await h.serve(std::make_unique<borrowed_history>(store), [&](chat::service& chat) -> task<> {
    guest lazy = co_await guest::join("lazy"); // and reads no more
    co_await with_nursery([&](nursery& n) -> task<> {
      for (auto& [nick, to] : people)
        n.start_soon(chatter, nick, 10, std::ref(to));
      n.start_service([&]() -> task<> {
        for (;;) {
          co_await sleep_for(std::chrono::milliseconds(20 + below(100)));
          if (const caf::actor room = chat.room("lobby"))
            send_exit(room, caf::exit_reason::unhandled_exception);
        }
      });
      n.start_service([&]() -> task<> {
        co_await sleep_for(std::chrono::milliseconds(below(300)));
        h.net.reset("client", "server");
      });
      co_return;
    });
    said = chat.statistics().lines;
  });
  for (const chat::history_line& l : co_await store.kept.recent("lobby", 1000))
    history.push_back(l.nick + ": " + l.text);
  require(history.size() == said, "the history has another number of lines than were said");
  const std::set<std::string> once(history.begin(), history.end());
  require(once.size() == history.size(), "a line is in the history twice");
  for (const auto& [nick, n] : people) {
    check_order(nick, n, history);
    for (const std::string& line : n.acknowledged)
      require(once.contains(line), "'" + line + "' was acknowledged, and is not in the history");
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(chat_promises)

BOOST_AUTO_TEST_CASE(p18_all_hear_one_order_whatever_breaks) {
  house shared;
  shared.options.lines_per_second = 1000;
  shared.options.log = {};
  testing::explore_options options;
  options.simulation.network = &shared.net;
  options.simulation.max_steps = 10'000'000;
  testing::explore([&] { return evening(shared); }, 30, options).verify();
}

BOOST_AUTO_TEST_CASE(p18_a_thousand_clients_of_which_a_hundred_never_read) {
  testing::network_options small;
  small.buffer = 16 * 1024;
  house h(small);
  h.options.mail_limit = 64;
  h.options.lines_per_second = 1000;
  h.options.log = {};
  h.open(std::make_unique<chat::memory_history>(), [&](chat::service& chat) -> task<> {
    constexpr int people = 900, lazy = 100, lines = 150;
    std::vector<std::vector<std::string>> heard(people);
    std::vector<guest> asleep;
    for (int i = 0; i < lazy; ++i)
      asleep.push_back(co_await guest::join("lazy" + std::to_string(i)));
    guest speaker = co_await guest::join("speaker");
    co_await with_nursery([&](nursery& n) -> task<> {
      int here = 0;
      event all_here;
      for (int i = 0; i < people; ++i)
        n.start_soon([&, i]() -> task<> {
          co_await sleep_for(i * 1ms);
          guest g = co_await guest::join("guest" + std::to_string(i));
          if (++here == people)
            all_here.set();
          co_await g.hear("line " + std::to_string(lines - 1));
          heard[static_cast<std::size_t>(i)] = g.talk();
        });
      n.start_service([&]() -> task<> { // at the end, 900 people leave at once
        static_cast<void>(co_await as_outcome(speaker.hear("never")));
      });
      co_await all_here.wait();
      for (int i = 0; i < lines; ++i) {
        co_await speaker.say("line " + std::to_string(i) + std::string(500, '.'));
        co_await sleep_for(10ms);
      }
    });
    BOOST_TEST(chat.statistics().clients <= 901U); // none of the lazy ones
    for (const auto& all : heard)
      BOOST_TEST((all == heard.front() && all.size() == static_cast<std::size_t>(lines)));
  });
}

BOOST_AUTO_TEST_CASE(p18_burst_drops_nobody_who_reads) {
  house h;
  h.options.mail_limit = 60;
  h.options.log = {};
  h.open(std::make_unique<frail_history>(), [&](chat::service& chat) -> task<> {
    constexpr std::size_t people = 300;
    std::size_t all_heard = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (std::size_t i = 0; i < people; ++i) // all come, and speak, at the same time
        n.start_soon([&, i]() -> task<> {
          guest g = co_await guest::join("guest" + std::to_string(i));
          co_await sleep_until(time_point(10s));
          co_await g.say("I am here");
          while (g.talk().size() < people)
            co_await g.hear("I am here");
          if (++all_heard == people)
            BOOST_TEST(chat.statistics().clients == people);
        });
      co_return;
    });
    BOOST_TEST(all_heard == people);
  });
}

BOOST_AUTO_TEST_SUITE_END()
