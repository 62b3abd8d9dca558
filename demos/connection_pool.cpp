// SPDX-License-Identifier: BSD-3-Clause
// Five coroutines share three connections to an echo server: who comes late waits for its turn.
// Try: connection_pool [port]        with echo_server 9527 running, or ncat -l 9527 -k -e /bin/cat
#include <troupe/actors/connection_pool.hpp>
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

using tcp_pool = connection_pool<tcp_stream>;

task<std::string> handler(tcp_pool& pool, std::string message) {
  auto server = co_await pool.borrow(5s);
  co_await server->write_all(message + "\n");
  buffered_reader in(*server);
  const auto answer = co_await in.read_line();
  if (!answer)
    throw end_of_stream("read from", server->peer(), "the server has gone");
  co_return "echo: " + *answer;
} // the connection goes back here

task<> parent(std::vector<std::string> args) {
  const int port = args.size() > 1 ? std::stoi(args[1]) : 9527;
  connection_functions<tcp_stream> functions;
  functions.open = [port]() {
    return open_tcp_stream("127.0.0.1", static_cast<std::uint16_t>(port));
  };
  connection_pool_options options;
  options.max = 3;
  try {
    static_cast<void>(co_await functions.open()); // is anybody there?
    co_await with_connection_pool(options, functions, [](tcp_pool& pool) -> task<> {
      std::vector<task<std::string>> handlers;
      for (int i = 0; i < 5; ++i)
        handlers.push_back(handler(pool, "coro_" + std::to_string(i)));
      for (const std::string& line : co_await gather(std::move(handlers)))
        std::cout << line << '\n';
      const auto s = pool.statistics();
      std::cout << s.opened << " connections were opened, and lent again " << s.reused
                << " times\n";
    });
  } catch (const connection_refused& e) {
    std::cout << e.what() << ": start an echo server there, echo_server " << port << '\n';
  }
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
