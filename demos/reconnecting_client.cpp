// SPDX-License-Identifier: BSD-3-Clause
// A client that stays connected: through a server that is not there yet, one that restarts,
// and a connection that is only open on this side.
// Try: nc -lk localhost 12348 in one terminal, reconnecting_client [port] in another; then end
// nc, and start it again.
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

double seconds(duration d) { return std::chrono::duration<double>(d).count(); }

/// Talks until the server has left.
task<> session(tcp_stream& server) {
  std::cout << "connected to " << server.peer() << std::endl;
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_service([&]() -> task<> {
      const heartbeat_options options{.interval = 5s, .limit = 15s};
      co_await heartbeat(server, options,
                         [&]() -> task<> { co_await server.write_all("are you there?\n"); });
    });
    buffered_reader in(server);
    while (auto line = co_await in.read_line()) {
      std::cout << "server: " << *line << std::endl;
      if (*line == "bye")
        co_return;
    }
    throw end_of_stream("hear more from", server.peer()); // worth another try
  });
}

task<> stay(std::vector<std::string> args) {
  const int port = args.size() > 1 ? std::stoi(args[1]) : 12348;
  retry_policy policy;
  policy.first_delay = 100ms;
  policy.max_delay = 5s;
  policy.attempts = 0; // for ever
  policy.on_retry = [](const std::exception_ptr& why, duration next) {
    std::cout << describe(why) << "; again in " << seconds(next) << " s" << std::endl;
  };
  const auto connect = [port]() -> task<tcp_stream> {
    return open_tcp_stream("127.0.0.1", static_cast<std::uint16_t>(port));
  };
  co_await stay_connected(policy, connect, session);
  std::cout << "the server has said goodbye" << std::endl;
}

int main(int argc, char** argv) { return troupe::main(argc, argv, stay); }
