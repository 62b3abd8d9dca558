// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "house.hpp"

#include <troupe/chat/page.hpp>
#include <troupe/http/router.hpp>
#include <troupe/http/server.hpp>
#include <troupe/http/websocket.hpp>
#include <troupe/http/websocket_handshake.hpp>

/// Chats with a page, for tests.
namespace troupe_test {

/// A chat with its page on port 80 of "server".
inline void open_site(house& h, const std::function<task<>(chat::service&)>& guests) {
  h.open(std::make_unique<chat::memory_history>(), [&](chat::service& chat) -> task<> {
    http::router site;
    chat::add_page(site, chat);
    co_await with_nursery([&](nursery& n) -> task<> {
      const auto serve = [&](task_status<>& open) -> task<> {
        co_await h.net.on("server", [&]() -> task<> {
          tcp_listener listener(80);
          open.started();
          co_await http::serve(site, std::move(listener));
        });
      };
      const auto web = [&](task_status<>& open) { return serve(open); };
      auto inner = [&](nursery& services) -> task<> {
        co_await services.start(web);
        co_await guests(chat);
        services.stop(5s);
      };
      n.start_soon([&]() -> task<> { co_await with_nursery(inner); });
      co_return;
    });
  });
}

/// Somebody at a browser.
class surfer {
public:
  static task<surfer> come(std::string nick) {
    surfer s(co_await http::open_websocket("ws://server/chat"));
    co_await s.say(std::move(nick));
    co_return s;
  }
  task<> say(std::string line) { co_await socket.send_text(line); }
  task<std::string> hear(std::string part) {
    for (;;) {
      while (!lines.empty()) {
        const std::string line = lines.substr(0, lines.find('\n'));
        lines.erase(0, line.size() + 1);
        if (line.find(part) != std::string::npos)
          co_return line;
      }
      auto message = co_await socket.receive();
      if (!message)
        throw std::runtime_error("'" + part + "' was not heard");
      lines = std::move(message->data);
    }
  }

  explicit surfer(http::websocket s) : socket(std::move(s)) {}
  http::websocket socket;
  std::string lines;
};

} // namespace troupe_test
