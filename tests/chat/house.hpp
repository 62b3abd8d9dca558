// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/buffered_reader.hpp>
#include <troupe/chat/service.hpp>
#include <troupe/nursery.hpp>
#include <troupe/tcp.hpp>
#include <troupe/testing/network.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/time.hpp>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

/// Chats for tests: on a simulated network, on virtual time.
namespace troupe_test {

using namespace troupe;
using namespace std::chrono_literals;

/// Somebody who chats by lines of text.
class guest {
public:
  explicit guest(std::unique_ptr<troupe::stream> s) : stream_(std::move(s)), in_(*stream_) {}

  /// Connects, without a name.
  static task<guest> come(std::string host = "server", std::uint16_t port = 9011) {
    tcp_stream s = co_await open_tcp_stream(std::move(host), port);
    co_return guest(std::make_unique<tcp_stream>(std::move(s)));
  }

  /// Connects and is in the first room.
  static task<guest> join(std::string nick, std::string host = "server",
                          std::uint16_t port = 9011) {
    guest g = co_await come(std::move(host), port);
    co_await g.enter(std::move(nick));
    co_return g;
  }

  task<> enter(std::string nick) {
    co_await say(std::move(nick));
    co_await hear("* you are in ");
  }

  task<> say(std::string line) {
    line += '\n';
    co_await stream_->write_all(line);
  }

  /// Reads up to a line that contains `part`, and gives it. What came before is in `heard`.
  task<std::string> hear(std::string part) {
    for (;;) {
      const auto line = co_await in_.read_line();
      if (!line)
        throw std::runtime_error("'" + part + "' was not heard, but: " + all());
      heard.push_back(*line);
      if (line->find(part) != std::string::npos)
        co_return *line;
    }
  }

  /// Reads to the end.
  task<> hear_end() {
    for (;;) {
      const auto line = co_await in_.read_line();
      if (!line)
        co_return;
      heard.push_back(*line);
    }
  }

  [[nodiscard]] std::string all() const {
    std::string text;
    for (const std::string& line : heard)
      text += line + '\n';
    return text;
  }

  /// What people have said, of all that was heard.
  [[nodiscard]] std::vector<std::string> talk() const {
    std::vector<std::string> lines;
    for (const std::string& line : heard)
      if (!line.starts_with("*"))
        lines.push_back(line);
    return lines;
  }

  [[nodiscard]] troupe::stream& stream() { return *stream_; }

  std::vector<std::string> heard;

private:
  std::unique_ptr<troupe::stream> stream_;
  buffered_reader in_;
};

/// A chat on the host "server"; guests are on "client".
struct house {
  explicit house(testing::network_options network = {}) : net(std::move(network)) {
    net.add_host("server");
    net.add_host("client");
    options.log = [this](const std::string& what) { log += what + '\n'; };
    options.now = [this] { return ++microseconds; };
  }

  /// Serves, and runs `guests(chat)` until it ends; then the service is stopped.
  void open(std::unique_ptr<chat::history_store> store,
            const std::function<task<>(chat::service&)>& guests) {
    testing::virtual_clock time;
    run_options how;
    how.loops = 1;
    how.time = &time;
    how.network = &net;
    run(how, [&]() -> task<> { co_await serve(std::move(store), guests); });
  }

  task<> serve(std::unique_ptr<chat::history_store> store,
               const std::function<task<>(chat::service&)>& guests) {
    chat::service service(std::move(store), options);
    co_await with_nursery([&](nursery& n) -> task<> {
      const auto serving = [&](task_status<>& open) -> task<> {
        co_await with_nursery([&](nursery& inside) -> task<> {
          co_await inside.start([&](task_status<>& ready) { return service.run(ready); });
          inside.start_soon([&]() -> task<> {
            co_await net.on("server", [&]() -> task<> {
              tcp_listener listener(9011);
              open.started();
              co_await serve_listener(service.tcp(), std::move(listener));
            });
          });
          stop = [&] {
            stopped = true;
            inside.stop(5s, "closing time");
          };
        });
      };
      stopped = false;
      co_await n.start(serving);
      co_await net.on("client", [&] { return guests(service); });
      if (!std::exchange(stopped, true))
        stop();
    });
  }

  std::function<void()> stop; // closes the chat
  bool stopped = false;
  testing::simulated_network net;
  chat::service_options options;
  std::string log;
  std::int64_t microseconds = 1'000'000;
};

/// A store that can be hurt.
class frail_history final : public chat::history_store {
public:
  task<> append(std::vector<chat::history_line> lines) override {
    ++appends;
    co_await sleep_for(delay);
    if (!broken.empty())
      throw chat::history_error(broken);
    co_await kept.append(std::move(lines));
    if (silent_appends > 0) {
      --silent_appends;
      co_await sleep_forever();
    }
  }
  task<std::vector<chat::history_line>> recent(std::string room, std::size_t count) override {
    ++reads;
    if (silent_reads)
      co_await sleep_forever();
    co_await checkpoint();
    if (!broken.empty() && !can_be_read)
      throw chat::history_error(broken);
    co_return co_await kept.recent(std::move(room), count);
  }
  task<> close() override { co_return; }
  [[nodiscard]] std::string name() const override { return "a frail store"; }

  std::string broken;        // why
  bool can_be_read = false;  // though it is broken
  bool silent_reads = false; // they are not answered
  int silent_appends = 0;    // so many will keep their lines, and not be answered
  duration delay = 1ms;
  int appends = 0;
  int reads = 0;
  chat::memory_history kept;
};

} // namespace troupe_test
