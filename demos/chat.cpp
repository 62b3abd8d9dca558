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

  chat::server rooms([](const std::string& what) { std::cout << what << std::endl; });
  auto handler = [&rooms](tcp_stream& peer) { return rooms.session(peer); };
  co_await serve_listener(handler, std::move(listener));
}

int main(int argc, char** argv) {
  raise_descriptor_limit();
  return troupe::main(argc, argv, serve);
}
