// SPDX-License-Identifier: BSD-3-Clause
// A chat client that says what it was given, a line each second, and shows what
// the others say meanwhile. To chat by hand: nc localhost 9011
// Try: chat_client 9011 bob hello 'how are you?'        with chat running
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

task<> say(stream& server, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    const std::string with_end = line + "\n";
    co_await server.write_all(with_end);
    co_await sleep_for(1s);
  }
  co_await server.write_all("/quit\n");
}

task<> show(stream& server) {
  buffered_reader lines(server);
  while (const auto line = co_await lines.read_line())
    std::cout << *line << std::endl;
}

task<> parent(std::vector<std::string> args) {
  if (args.size() < 3)
    throw std::invalid_argument("usage: chat_client PORT NICK [LINE...]");
  const auto port = static_cast<std::uint16_t>(std::stoi(args[1]));
  const std::vector<std::string> lines(args.begin() + 2, args.end());
  tcp_stream server = co_await open_tcp_stream("localhost", port);
  co_await with_nursery([&](nursery& n) -> task<> {
    auto talking = n.start_soon(say, std::ref(server), std::cref(lines));
    co_await show(server); // until the server says goodbye
    talking.cancel();
  });
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
