// SPDX-License-Identifier: BSD-3-Clause
// An echo service on datagrams: each that comes goes back to its sender.
// Try: udp_echo [port]        and in another terminal: nc -u localhost 12347
#include <troupe/troupe.hpp>

#include <array>
#include <iostream>
#include <span>
#include <string>
#include <vector>

using namespace troupe;

task<> serve(std::vector<std::string> args) {
  const int port = args.size() > 1 ? std::stoi(args[1]) : 12347;
  udp_socket socket(static_cast<std::uint16_t>(port), "127.0.0.1");
  std::cout << "listening on " << socket.local() << ", Ctrl-C ends" << std::endl;

  std::array<std::byte, 65536> buffer;
  for (;;) {
    try {
      const datagram d = co_await socket.receive(buffer);
      std::cout << d.size << " bytes from " << d.from.text() << std::endl;
      co_await socket.send_to(d.from, std::span(buffer).first(d.size));
    } catch (const net_error& e) { // one sender's trouble is not the others'
      std::cout << e.what() << std::endl;
    }
  }
}

int main(int argc, char** argv) { return troupe::main(argc, argv, serve); }
