// SPDX-License-Identifier: BSD-3-Clause
// Trio's echo server: what a client sends comes back, each connection in a task.
// Try: echo_server [port]        and in other terminals: nc localhost 12345, echo_client
#include <troupe/troupe.hpp>

#include <array>
#include <iostream>
#include <span>
#include <string>
#include <vector>

using namespace troupe;

// "stream" is TCP here; the same function serves anything else that is a stream.
task<> echo(stream& peer, int ident) {
  std::cout << "echo_server " << ident << ": started for " << peer.peer() << std::endl;
  std::array<std::byte, 16384> buffer;
  while (const auto n = co_await peer.read_some(buffer)) {
    std::cout << "echo_server " << ident << ": " << n << " bytes" << std::endl;
    co_await peer.write_all(std::span(buffer).first(n));
  }
  std::cout << "echo_server " << ident << ": connection closed" << std::endl;
}

task<> serve(std::vector<std::string> args) {
  const int port = args.size() > 1 ? std::stoi(args[1]) : 12345;
  tcp_listener listener(static_cast<std::uint16_t>(port), {.address = "127.0.0.1"});
  std::cout << "listening on " << listener.local() << ", Ctrl-C ends" << std::endl;

  int idents = 0; // connections on one loop never run at the same time: no lock
  auto handler = [&idents](tcp_stream& peer) { return echo(peer, idents++); };
  co_await serve_listener(handler, std::move(listener));
}

int main(int argc, char** argv) {
  raise_descriptor_limit();
  return troupe::main(argc, argv, serve);
}
