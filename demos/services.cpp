// SPDX-License-Identifier: BSD-3-Clause
// Two services under one nursery: chat and echo. Ctrl-C says goodbye to all who
// are connected, and ends both.
// Try: services [chat port [echo port]]        and in other terminals: nc localhost 9011
#include "chat_room.hpp"

#include <troupe/troupe.hpp>

#include <array>
#include <iostream>
#include <span>
#include <string>
#include <vector>

using namespace troupe;

void log(const std::string& what) { std::cout << what << std::endl; }

task<> echo(tcp_stream& peer) {
  log("echo: " + peer.peer() + " has come");
  std::array<std::byte, 16384> buffer;
  while (const auto n = co_await peer.read_some(buffer))
    co_await peer.write_all(std::span(buffer).first(n));
  log("echo: " + peer.peer() + " has left");
}

task<> serve(tcp_handler handler, tcp_listener listener, std::string name) {
  serve_options options;
  options.name = std::move(name); // what tasks are called in reports and in the task tree
  co_await serve_listener(std::move(handler), std::move(listener), std::move(options));
}

task<> run_services(std::vector<std::string> args) {
  const int chat_port = args.size() > 1 ? std::stoi(args[1]) : 9011;
  const int echo_port = args.size() > 2 ? std::stoi(args[2]) : 12345;
  const listen_options local{.address = "127.0.0.1"};
  tcp_listener chat_listener(static_cast<std::uint16_t>(chat_port), local);
  tcp_listener echo_listener(static_cast<std::uint16_t>(echo_port), local);

  const auto port_of = [](const tcp_listener& l) { return std::to_string(l.port()); };
  log("Two services are running. In another terminal, or several, type\n"
      "    nc localhost "
      + port_of(chat_listener)
      + "        to chat: first your nick name, then /who, /join ROOM, /quit\n"
        "    nc localhost "
      + port_of(echo_listener)
      + "       to hear an echo\n"
        "Ctrl-C here ends both and says goodbye.");

  const chat::hub::logger chat_log = [](const std::string& what) { log("chat: " + what); };
  co_await with_cleanup(
    [&]() -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        const auto hub = n.start_actor(named("chat hub", chat::hub::run), chat_log);
        n.start_soon(named("chat", serve), chat::session::handler(hub.address()),
                     std::move(chat_listener), "chat client");
        n.start_soon(named("echo", serve), tcp_handler(echo), std::move(echo_listener),
                     "echo client");
        co_return;
      });
    },
    []() -> task<> {
      log("\nAll clients are gone, goodbye.");
      co_return;
    });
}

int main(int argc, char** argv) {
  raise_descriptor_limit();
  return troupe::main(argc, argv, run_services);
}
