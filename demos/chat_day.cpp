// SPDX-License-Identifier: BSD-3-Clause
// A day of a chat in a few seconds: people come and go on a simulated network that is cut, reset
// and slow, and connect again. The chat is that of the demo chat, and knows nothing of it. At the
// end it is looked whether each line that somebody has seen is in the history. The picture of the
// day, one track a person, opens at ui.perfetto.dev.
// Try: chat_day [seed [people [file for the picture, .json]]]
#include <troupe/chat/service.hpp>
#include <troupe/testing/network.hpp>
#include <troupe/testing/simulation.hpp>
#include <troupe/testing/trace.hpp>
#include <troupe/troupe.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

duration between(duration least, duration most) {
  return least
         + duration(static_cast<duration::rep>(random_fraction()
                                               * static_cast<double>((most - least).count())));
}

// The time of the day: the run begins at midnight.
time_point at(duration time) { return time_point(time); }

struct person {
  std::string nick;
  testing::trace::track row;
  std::uint64_t lines = 0; // that it has said
};

// What can be seen from above.
struct town {
  testing::simulated_network net{{.seed = 0}};
  testing::trace picture;
  testing::trace::track faults = picture.add_track("network", "faults");
  testing::trace::track online = picture.add_track("network", "people online");
  std::vector<person> people;
  std::set<std::string> seen; // lines, by their senders
  int connected = 0;
  std::uint64_t heard = 0, partitions = 0, resets = 0, reconnections = 0, lost = 0;

  explicit town(std::size_t size) {
    static constexpr std::array names{"ann", "bob", "cid", "dora", "eve", "finn", "gus", "hal",
                                      "ida", "jim", "kim", "leo",  "mia", "ned",  "ola", "pia"};
    net.add_host("server");
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t again = i / names.size();
      std::string nick = names[i % names.size()] + (again ? std::to_string(again) : "");
      net.add_host(nick);
      const auto row = picture.add_track("people", nick);
      people.push_back({std::move(nick), row});
    }
  }
};

class on_the_picture {
public:
  explicit on_the_picture(town& t, const person& p) : town_(t), row_(p.row) {
    town_.picture.begin(row_, "online");
    town_.picture.count(town_.online, ++town_.connected);
  }
  on_the_picture(const on_the_picture&) = delete;
  on_the_picture& operator=(const on_the_picture&) = delete;
  ~on_the_picture() {
    town_.picture.end(row_);
    town_.picture.count(town_.online, --town_.connected);
  }

private:
  town& town_;
  testing::trace::track row_;
};

// -- people

// One connection, until it breaks or it is time to leave.
task<> talk(town& t, person& p, tcp_stream& server, time_point leaves) {
  buffered_reader in(server);
  std::string awaited; // the line that it has said last
  std::optional<event> seen;
  co_await server.write_all(p.nick + "\n");
  for (bool inside = false; !inside;) {
    const auto line = co_await fail_after(1min, [&] { return in.read_line(); });
    if (!line || line->ends_with("taken; try another"))
      throw end_of_stream("read from", server.peer(), "not let in");
    inside = line->starts_with("* you are in");
  }
  const on_the_picture now(t, p);
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_service([&] {
      return heartbeat(server, {.interval = 1min, .limit = 3min},
                       [&]() -> task<> { co_await server.write_all("/who\n"); });
    });
    const auto hears = n.start_soon([&]() -> task<> {
      for (;;) {
        const auto line = co_await in.read_line();
        if (!line)
          co_return;
        t.heard += line->starts_with('*') ? 0 : 1;
        if (seen && *line == awaited)
          seen->set();
      }
    });
    while (current_time() < leaves) {
      co_await sleep_for(between(10s, 10min));
      const std::string text = "line " + std::to_string(++p.lines);
      awaited = p.nick + ": " + text;
      seen.emplace();
      t.picture.instant(p.row, text);
      co_await server.write_all(text + "\n");
      const bool shown = co_await move_on_after(1min, [&]() -> task<> { co_await seen->wait(); });
      if (!shown) {
        ++t.lost;
        throw end_of_stream("read from", server.peer(), "nobody answers");
      }
      t.seen.insert(awaited);
    }
    co_await server.write_all("/quit\n");
    co_await hears;
    n.cancel();
  });
}

task<> visit(town& t, person& p, time_point leaves) {
  retry_policy policy;
  policy.attempts = 0;
  policy.retries = [](const std::exception_ptr&) { return true; }; // also of several at once
  policy.on_retry = [&](const std::exception_ptr&, duration) {
    ++t.reconnections;
    t.picture.instant(p.row, "tries again");
  };
  const auto connect = [] { return open_tcp_stream("server", 9011); };
  const auto session = [&](tcp_stream& s) { return talk(t, p, s, leaves); };
  co_await stay_connected(policy, connect, session);
}

// Comes in the morning, and leaves now and then.
task<> live(town& t, person& p) {
  co_await sleep_until(at(between(6h, 10h)));
  const time_point bedtime = at(between(21h, 23h));
  while (current_time() < bedtime) {
    const time_point leaves = std::min(current_time() + between(30min, 3h), bedtime);
    co_await move_on_at(leaves + 15min, [&] { return visit(t, p, leaves); });
    co_await sleep_for(between(10min, 1h));
  }
}

// -- what happens to them

task<> trouble(town& t) {
  for (;;) {
    co_await sleep_for(between(1min, 10min));
    const std::string& who = t.people[random_bits() % t.people.size()].nick;
    switch (random_bits() % 4) {
    case 0:
      ++t.resets;
      t.picture.instant(t.faults, "reset of " + who);
      t.net.reset(who, "server");
      break;
    case 1:
      ++t.partitions;
      t.picture.begin(t.faults, who + " is cut off");
      t.net.partition(who, "server");
      co_await sleep_for(between(10s, 10min));
      t.net.heal();
      t.picture.end(t.faults);
      break;
    case 2:
      ++t.partitions;
      t.picture.begin(t.faults, who + " is cut off, in one direction");
      t.net.partition_one_way("server", who);
      co_await sleep_for(between(10s, 10min));
      t.net.heal();
      t.picture.end(t.faults);
      break;
    default:
      ++t.partitions;
      t.picture.begin(t.faults, "the server is cut off");
      t.net.isolate("server");
      co_await sleep_for(between(1s, 2min));
      t.net.heal();
      t.picture.end(t.faults);
    }
  }
}

task<> day(town& t) {
  auto store = std::make_unique<chat::memory_history>(1'000'000);
  chat::memory_history& history = *store;
  chat::service_options options;
  options.now = [] { return current_time().time_since_epoch() / 1us + 1; };
  chat::service chat(std::move(store), options);
  co_await with_nursery([&](nursery& n) -> task<> {
    co_await n.start([&](task_status<>& ready) { return chat.run(ready); });
    n.start_service([&]() -> task<> {
      co_await t.net.on("server", [&]() -> task<> { co_await serve_tcp(chat.tcp(), 9011); });
    });
    n.start_service([&] { return trouble(t); });
    co_await with_nursery([&](nursery& everybody) -> task<> {
      for (person& p : t.people)
        everybody.start_soon(
          named(p.nick, [&] { return t.net.on(p.nick, [&] { return live(t, p); }); }));
      co_return;
    });
    co_await sleep_until(at(24h));
    for (const auto& line : co_await history.recent("lobby", 1'000'000))
      t.seen.erase(line.nick + ": " + line.text);
    if (!t.seen.empty())
      throw std::runtime_error("'" + *t.seen.begin() + "' was seen and is not in the history");
    n.cancel("the day is over");
  });
}

int main(int argc, char** argv) {
  const std::uint64_t seed = argc > 1 ? std::stoull(argv[1]) : 1;
  town t(argc > 2 ? std::stoul(argv[2]) : 40);
  testing::simulation_options options;
  options.loops = 1;
  options.network = &t.net;
  options.max_steps = 1'000'000'000;
  const auto began = std::chrono::steady_clock::now();
  const auto run = testing::simulate(
    seed, [&] { return day(t); }, options);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::cout << run.text();

  std::uint64_t lines = 0;
  for (const person& p : t.people)
    lines += p.lines;
  std::cout << lines << " lines were said by " << t.people.size() << " people and heard " << t.heard
            << " times, " << t.lost << " without an answer\n"
            << t.partitions << " partitions, " << t.resets << " resets, " << t.reconnections
            << " attempts to connect again\n"
            << run.steps << " steps, hash " << std::hex << run.hash << std::dec << '\n'
            << run.elapsed / 1s << " s have taken " << took.count() << " s: "
            << static_cast<std::uint64_t>(static_cast<double>(run.elapsed / 1s) / took.count())
            << " times as fast as life\n";
  if (argc > 3) {
    std::ofstream file(argv[3]);
    t.picture.write(file);
  }
  return run.failed() ? 1 : 0;
}
