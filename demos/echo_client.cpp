// SPDX-License-Identifier: BSD-3-Clause
// Trio's echo client: one task sends a line each second, its sibling prints what
// comes back. When the server ends, the receiver ends the sender.
// Try: echo_client [port [count]]        with echo_server running
#include <troupe/troupe.hpp>

#include <array>
#include <chrono>
#include <iostream>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

task<> send_lines(stream& server, int count) {
  std::cout << "sender: started!" << std::endl;
  for (int i = 0; i < count; ++i) {
    if (i > 0)
      co_await sleep_for(1s);
    const std::string_view data = "async can sometimes be confusing, but I believe in you!\n";
    std::cout << "sender: sending " << data << std::flush;
    co_await server.write_all(data);
  }
  co_await server.send_eof();
}

task<> print_echoes(stream& server, nursery& n) {
  std::cout << "receiver: started!" << std::endl;
  std::array<std::byte, 16384> buffer;
  while (const auto got = co_await server.read_some(buffer)) {
    std::cout << "receiver: got data "
              << std::string_view(reinterpret_cast<const char*>(buffer.data()), got) << std::flush;
  }
  std::cout << "receiver: connection closed" << std::endl;
  n.cancel("the server has closed the connection");
}

task<> parent(std::vector<std::string> args) {
  const int port = args.size() > 1 ? std::stoi(args[1]) : 12345;
  const int count = args.size() > 2 ? std::stoi(args[2]) : std::numeric_limits<int>::max();

  std::cout << "parent: connecting to 127.0.0.1:" << port << std::endl;
  tcp_stream server = co_await open_tcp_stream("127.0.0.1", static_cast<std::uint16_t>(port));
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon(named("sender", send_lines), std::ref(server), count);
    n.start_soon(named("receiver", print_echoes), std::ref(server), std::ref(n));
    co_return;
  });
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
