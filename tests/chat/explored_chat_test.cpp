// SPDX-License-Identifier: BSD-3-Clause
// An evening in a chat, in many orders: rooms, the hub and the writer of the history crash, the
// store has moods, connections are reset and cut, people come back.
#include "house.hpp"
#include "support/explored.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <list>
#include <set>

using namespace troupe_test;

namespace {

constexpr const char* rooms[]{"lobby", "den"};

/// What somebody has heard said in one room, from one connection.
struct visit {
  std::string nick;
  std::string room;
  std::vector<std::string> heard = {};
  std::set<std::string> acknowledged = {}; // and kept
  std::string all = {};                    // as it was heard
};

/// A store that is slow, or fails having kept none, some or all, or does not answer. It outlives
/// its chat.
class moody_history {
public:
  class handle final : public chat::history_store {
  public:
    explicit handle(moody_history& of) : of_(of) {}
    task<> append(std::vector<chat::history_line> lines) override {
      return of_.append(std::move(lines));
    }
    task<std::vector<chat::history_line>> recent(std::string room, std::size_t count) override {
      return of_.recent(std::move(room), count);
    }
    task<> close() override { co_return; }
    [[nodiscard]] std::string name() const override { return "a store with moods"; }

  private:
    moody_history& of_;
  };

  bool well = false; // from now on
  chat::memory_history kept;
  std::set<std::string> all; // that is kept, as it is heard

private:
  task<std::vector<chat::history_line>> recent(std::string room, std::size_t count) {
    const auto mood = well ? 7 : random_bits() % 8;
    if (mood == 0)
      co_await sleep_for(random_bits() % 2 == 0 ? 30ms : 1h);
    if (mood == 1)
      throw chat::history_error("not now");
    co_return co_await kept.recent(std::move(room), count);
  }

  task<> append(std::vector<chat::history_line> lines) {
    const bool fails = !well && random_bits() % 8 == 0;
    if (!well)
      co_await sleep_for(random_bits() % 8 == 0 ? 30ms : some_time());
    if (fails)
      lines.resize(random_bits() % (lines.size() + 1));
    co_await kept.append(lines);
    for (const chat::history_line& l : lines)
      all.insert(l.nick + ": " + l.text);
    if (fails)
      throw chat::history_error("not now");
    if (!well && random_bits() % 16 == 0)
      co_await sleep_for(1h);
  }
};

/// Comes, says some lines, hears all, and may be cut off at any time. Whether it was not.
task<bool> stay(visit& v, int lines, const moody_history& store) {
  guest g = co_await guest::come();
  const std::string not_kept = " (not kept)";
  std::size_t looked_at = 0;
  const auto look = [&] { // what is shown as kept is so then, not only in the end
    for (; looked_at < g.heard.size(); ++looked_at) {
      const std::string& line = g.heard[looked_at];
      demand(line.starts_with("*") || line.ends_with(not_kept) || store.all.contains(line),
             v.nick + " has heard '" + line + "' as kept, and it is not");
    }
  };
  std::size_t entered = v.room == rooms[0] ? 0 : static_cast<std::size_t>(-1);
  bool to_the_end = false;
  try {
    co_await g.say(v.nick);
    co_await g.hear("* you are in ");
    look();
    if (v.room != rooms[0]) {
      co_await g.say("/join " + v.room);
      co_await g.hear("* you are in " + v.room);
      look();
      entered = g.heard.size();
    }
    for (int i = 0; i < lines; ++i) {
      co_await sleep_for(some_time());
      const std::string line = v.nick + " says " + std::to_string(i);
      co_await g.say(line);
      co_await g.hear(v.nick + ": " + line);
      look();
    }
    co_await sleep_for(50ms); // hears the others
    co_await g.say("/quit");
    co_await g.hear_end();
    to_the_end = true;
  } catch (const std::runtime_error&) { // NOLINT(bugprone-empty-catch): cut off
  }
  v.all = g.all();
  for (std::size_t i = entered; i < g.heard.size(); ++i) {
    std::string line = g.heard[i];
    if (line.starts_with("*"))
      continue;
    const bool kept = !line.ends_with(not_kept);
    if (!kept)
      line.resize(line.size() - not_kept.size());
    else if (line.starts_with(v.nick + ": "))
      v.acknowledged.insert(line);
    v.heard.push_back(std::move(line));
  }
  co_return to_the_end;
}

/// Comes back when it was cut off, by another name: its old one may be in use for a while.
task<> person(std::string name, std::list<visit>& visits, const moody_history& store) {
  for (int i = 1; i < 4; ++i) {
    visit& v = visits.emplace_back(visit{name + std::to_string(i), rooms[random_bits() % 2]});
    bool to_the_end = false;
    try {
      to_the_end = co_await stay(v, 3, store);
    } catch (const net_error&) { // NOLINT(bugprone-empty-catch): could not come
    }
    if (to_the_end)
      co_return;
    co_await sleep_for(some_time());
  }
}

task<> weather(simulated_network& net) {
  for (;;) {
    co_await sleep_for(some_time() * 10);
    switch (random_bits() % 4) {
    case 0: net.reset("client", "server"); break;
    case 1: net.reset_after("client", "server", 1 + random_bits() % 256); break;
    case 2:
      net.partition("client", "server");
      co_await sleep_for(some_time() * 10);
      net.heal();
      break;
    case 3: break;
    }
  }
}

std::string listed(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines)
    text += (text.empty() ? "" : ", ") + line;
  return text;
}

/// All that was heard in a visit stands in the history, in this order and without a gap.
void check_visit(const visit& v, const std::vector<std::string>& history) {
  if (v.heard.empty())
    return;
  const auto begin = std::find(history.begin(), history.end(), v.heard.front());
  const auto left = static_cast<std::size_t>(history.end() - begin);
  demand(v.heard.size() <= left && std::equal(v.heard.begin(), v.heard.end(), begin),
         v.nick + " has heard in the " + v.room + ": " + listed(v.heard) + "; in all:\n" + v.all
           + "and in its history is: " + listed(history));
  for (const std::string& line : v.acknowledged)
    demand(std::find(begin, history.end(), line) != history.end(),
           "'" + line + "' was acknowledged, and is not in the history");
}

task<> evening(house& h) {
  moody_history store;
  std::list<visit> visits;
  std::size_t said = 0;
  co_await h.serve(
    std::make_unique<moody_history::handle>(store), [&](chat::service& chat) -> task<> {
      guest lazy = co_await guest::join("lazy");
      co_await lazy.say("/join den");
      co_await lazy.hear("* you are in den"); // and reads no more
      co_await with_nursery([&](nursery& n) -> task<> {
        for (const char* name : {"ann", "bob", "cat"})
          n.start_soon(named("person", person), name, std::ref(visits), std::cref(store));
        n.start_service([&] { return weather(h.net); });
        co_return;
      });
      h.net.heal();
      store.well = true;
      // a line may still be on its way from somebody who has gone, or in a stalled
      // room
      do {
        said = chat.statistics().lines;
        co_await sleep_for(100ms);
      } while (chat.statistics().waiting != 0 || chat.statistics().lines != said);
    });
  std::size_t kept = 0;
  for (const char* room : rooms) {
    std::vector<std::string> history;
    for (const chat::history_line& l : co_await store.kept.recent(room, 1000))
      history.push_back(l.nick + ": " + l.text);
    const std::set<std::string> once(history.begin(), history.end());
    demand(once.size() == history.size(), "a line is in the history twice");
    kept += history.size();
    for (const visit& v : visits)
      if (v.room == room)
        check_visit(v, history);
  }
  demand(kept == said, std::to_string(said) + " lines were said, and " + std::to_string(kept)
                         + " are in the history");
}

/// So often at the most: else their supervisors give up, as they should.
fault crash(const char* part, std::uint64_t most) {
  when sometimes = when::sometimes(0.02);
  sometimes.most = most;
  return is_cancelled_at(part, sometimes);
}

/// Goes to another room, while somebody talks in the first.
task<> one_goes(house& h) {
  co_await h.serve(std::make_unique<chat::memory_history>(), [](chat::service&) -> task<> {
    guest ann = co_await guest::join("ann");
    guest bob = co_await guest::join("bob");
    co_await ann.say("hello");
    co_await bob.say("/join den");
    for (int i = 0; i < 4; ++i)
      co_await ann.say("bob? " + std::to_string(i));
    co_await bob.hear("* you are in den");
    const std::size_t entered = bob.heard.size();
    for (int i = 0; i < 6; ++i) {
      const std::string line = "are you there? " + std::to_string(i);
      co_await ann.say(line);
      co_await ann.hear("ann: " + line);
    }
    co_await bob.say("/quit");
    co_await bob.hear_end();
    demand(std::none_of(bob.heard.begin() + static_cast<std::ptrdiff_t>(entered), bob.heard.end(),
                        [](const std::string& line) { return line.starts_with("ann: "); }),
           "bob hears what is said in the lobby, which he has left:\n" + bob.all());
  });
}

} // namespace

BOOST_AUTO_TEST_SUITE(explored_chat)

// Seed 16301 had found it, of a longer evening. Here, seeds 29 and 30 did.
BOOST_AUTO_TEST_CASE(wherever_a_room_crashes_who_has_left_it_hears_no_more_of_it) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed)
    for (std::uint64_t n = 1; n <= 20; ++n) {
      house shared;
      shared.options.patience = 20ms;
      shared.options.retry_after = 10ms;
      shared.options.log = {};
      simulation_options how;
      how.network = &shared.net;
      how.shuffle_ready = true;
      when once = when::at(n);
      once.most = 1;
      how.faults = {is_cancelled_at("lobby", once)};
      const auto r = simulate(
        seed, [&] { return one_goes(shared); }, how);
      BOOST_TEST(!r.failed(), "crashed at checkpoint " << n << ": " << r.text());
    }
}

BOOST_AUTO_TEST_CASE(p18_all_hear_one_order_whatever_breaks) {
  network_options network;
  network.seed = 0;
  network.links.jitter = 2ms;
  network.links.loss = 0.02;
  network.retransmit_after = 20ms;
  house shared(network);
  shared.options.lines_per_second = 1000;
  shared.options.patience = 20ms;
  shared.options.retry_after = 10ms;
  shared.options.log = {};
  simulation_options how;
  how.network = &shared.net;
  how.faults = {crash("lobby", 3),   crash("den", 3),      crash("hub", 2),
                crash("history", 2), stall("lobby", 0.05), stall("history", 0.05),
                stall("hub", 0.05)};
  explore_with([&] { return evening(shared); }, how, 500);
}

BOOST_AUTO_TEST_SUITE_END()
