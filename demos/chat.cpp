// SPDX-License-Identifier: BSD-3-Clause
// A chat server: rooms, unique nick names, history, and no client that can hold up
// the others. The first line a client sends is its nick name.
// Try: chat [port]        and in two other terminals: nc localhost 9011
#include "chat_room.hpp"

#include <troupe/troupe.hpp>

#include <iostream>
#include <string>
#include <vector>

using namespace troupe;

task<> serve(std::vector<std::string> args) {
  const int port = args.size() > 1 ? std::stoi(args[1]) : 9011;
  tcp_listener listener(static_cast<std::uint16_t>(port), {.address = "127.0.0.1"});
  std::cout << "listening on " << listener.local() << ", Ctrl-C ends" << std::endl;

  co_await with_nursery([&](nursery& n) -> task<> {
    const chat::hub::logger log = [](const std::string& what) { std::cout << what << std::endl; };
    const auto hub = n.start_actor(named("chat hub", chat::hub::run), log);
    co_await serve_listener(chat::session::handler(hub.address()), std::move(listener));
  });
}

int main(int argc, char** argv) {
  raise_descriptor_limit();
  return troupe::main(argc, argv, serve);
}
