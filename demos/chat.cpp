// SPDX-License-Identifier: BSD-3-Clause
// A chat server: rooms, unique nick names, a history that survives a restart, and no client
// that can hold up the others. The first line a client sends is its nick name.
// Try: chat [port [history file or postgresql://...]]        and in two other terminals: nc
// localhost 9011
#include <troupe/chat/service.hpp>
#include <troupe/troupe.hpp>

#include <iostream>
#include <memory>
#include <string>
#include <vector>

using namespace troupe;

task<> serve(std::vector<std::string> args) {
  const int port = args.size() > 1 ? std::stoi(args[1]) : 9011;
  tcp_listener listener(static_cast<std::uint16_t>(port), {.address = "127.0.0.1"});
  std::cout << "listening on " << listener.local() << ", Ctrl-C ends" << std::endl;

  chat::service_options options;
  options.log = [](const std::string& what) { std::cout << what << std::endl; };
  chat::service chat(chat::open_history(args.size() > 2 ? args[2] : "chat.db"), options);
  co_await with_nursery([&](nursery& n) -> task<> {
    co_await n.start([&](task_status<>& ready) { return chat.run(ready); });
    co_await serve_listener(chat.tcp(), std::move(listener));
  });
}

int main(int argc, char** argv) {
  raise_descriptor_limit();
  return troupe::main(argc, argv, serve);
}
