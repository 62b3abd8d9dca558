// SPDX-License-Identifier: BSD-3-Clause
// A bug in a copy of demos/chat.cpp.
#include "planted.hpp"

#include <troupe/chat/service.hpp>
#include <troupe/testing/node.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

using namespace planted;

namespace {

/// demos/chat.cpp on a machine whose power fails, with people as those of demos/chat_day.cpp.
/// Planted: its store says that lines are kept when they are written, and not yet synced.
namespace chat_demo {

/// Appends lines to a file.
class file_history final : public chat::history_store {
public:
  file_history(std::filesystem::path path, bool planted)
    : path_(std::move(path)), planted_(planted) {}

  task<> append(std::vector<chat::history_line> lines) override {
    std::string text;
    for (const chat::history_line& l : lines) // a crash may have left the half of a line behind
      text += "\n" + l.room + " " + std::to_string(l.id) + " " + l.nick + " " + l.text + " .\n";
    file out = co_await open_file(path_, open_mode::append | open_mode::create);
    co_await out.write_all(text);
    if (!planted_)
      co_await out.sync();
  }

  task<std::vector<chat::history_line>> recent(std::string room, std::size_t count) override {
    std::map<std::int64_t, chat::history_line> found;
    const bool there = co_await path_exists(path_);
    std::string text;
    if (there)
      text = co_await read_file(path_);
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      chat::history_line l;
      std::string word, number, end;
      std::istringstream words(line);
      if (words >> l.room >> l.id >> l.nick >> word >> number >> end && end == "."
          && l.room == room)
        l.text = word + " " + number, found[l.id] = l;
    }
    std::vector<chat::history_line> all;
    for (auto& [id, line] : found)
      all.push_back(std::move(line));
    if (all.size() > count)
      all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(count));
    co_return all;
  }

  task<> close() override { co_return; }
  [[nodiscard]] std::string name() const override { return path_; }

private:
  std::filesystem::path path_;
  bool planted_;
};

task<> serve(std::filesystem::path path, bool planted) {
  tcp_listener listener(9011);
  chat::service_options options;
  options.now = [] { return current_time().time_since_epoch() / 1us + 1; };
  chat::service chat(std::make_unique<file_history>(path, planted), options);
  co_await with_nursery([&](nursery& n) -> task<> {
    co_await n.start([&](task_status<>& ready) { return chat.run(ready); });
    co_await serve_listener(chat.tcp(), std::move(listener));
  });
}

// -- demos/chat_day.cpp

struct person {
  std::string nick;
  int lines = 0; // that it has said
};

// One connection, until it breaks or all is said.
task<> talk(std::set<std::string>& all_seen, person& p, tcp_stream& server) {
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
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_service([&] {
      return heartbeat(server, {.interval = 1min, .limit = 3min},
                       [&]() -> task<> { co_await server.write_all("/who\n"); });
    });
    const auto hears = n.start_soon([&]() -> task<> {
      while (const auto line = co_await in.read_line())
        if (seen && *line == awaited)
          seen->set();
    });
    while (p.lines < 5) {
      co_await sleep_for(std::chrono::seconds(1 + random_bits() % 60));
      const std::string text = "line " + std::to_string(++p.lines);
      awaited = p.nick + ": " + text;
      seen.emplace();
      co_await server.write_all(text + "\n");
      const bool shown = co_await move_on_after(1min, [&]() -> task<> { co_await seen->wait(); });
      if (!shown)
        throw end_of_stream("read from", server.peer(), "nobody answers");
      all_seen.insert(awaited);
    }
    co_await server.write_all("/quit\n");
    co_await hears;
    n.cancel();
  });
}

task<> visit(std::set<std::string>& seen, person& p) {
  retry_policy policy;
  policy.attempts = 0;
  policy.retries = [](const std::exception_ptr&) { return true; }; // also of several at once
  const auto connect = [] { return open_tcp_stream("server", 9011); };
  const auto session = [&](tcp_stream& s) { return talk(seen, p, s); };
  co_await stay_connected(policy, connect, session);
}

task<> day(simulated_network& net, bool planted) {
  simulated_disk disk;
  const auto path = disk.path() / "chat";
  node server(
    net, "server", [&] { return serve(path, planted); }, &disk);
  std::set<std::string> seen;
  person ann{"ann"}, bob{"bob"};
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_service([&] { return server.run(); });
    co_await with_nursery([&](nursery& everybody) -> task<> {
      for (person* p : {&ann, &bob})
        everybody.start_soon(
          named(p->nick, [&, p] { return net.on(p->nick, [&, p] { return visit(seen, *p); }); }));
      co_return;
    });
    if (!server.is_up())
      server.restart();
    file_history history(path, planted);
    for (const auto& line : co_await history.recent("lobby", 1'000'000))
      seen.erase(line.nick + ": " + line.text);
    if (!seen.empty())
      demand(false, "'" + *seen.begin() + "' was seen and is not in the history");
    n.cancel("the day is over");
  });
}

} // namespace chat_demo

} // namespace

BOOST_AUTO_TEST_SUITE(planted_bugs)

BOOST_AUTO_TEST_CASE(lost_acknowledged_line) {
  simulated_network net({.seed = 0});
  for (const char* host : {"server", "ann", "bob"})
    net.add_host(host);
  bug b{"lost acknowledged line", [&](bool planted) { return chat_demo::day(net, planted); },
        "was seen and is not in the history"};
  b.how.network = &net;
  b.how.faults = {crashes("server", when{0, 0.002, 3}, 30s)};
  is_found(b, 150);
}

BOOST_AUTO_TEST_SUITE_END()
