// SPDX-License-Identifier: BSD-3-Clause
// Redis from many tasks: twenty count visits over a pool of three connections, then a hundred share
// one connection, whose commands go out together.
// Try: redis_pool [redis://host:port]        without an address it starts a server of its own
#include <troupe/redis/client.hpp>
#include <troupe/redis/pool.hpp>
#include <troupe/troupe.hpp>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

using redis_pool = connection_pool<redis::connection>;

task<> count_visits(redis_pool& pool, std::string key) {
  for (int i = 0; i < 50; ++i) {
    auto db = co_await pool.borrow(5s);
    static_cast<void>(co_await db->command("incr", key));
  }
}

task<> over_a_pool(std::string url, std::string key) {
  connection_pool_options options;
  options.max = 3;
  const auto functions = redis::pooled(url);
  co_await with_connection_pool(options, functions, [&](redis_pool& pool) -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 20; ++i)
        n.start_soon(count_visits, std::ref(pool), key);
      co_return;
    });
    auto db = co_await pool.borrow();
    const auto visits = co_await db->command("get", key);
    std::cout << visits.get<int>() << " visits, counted over " << pool.statistics().opened
              << " connections\n";
  });
}

task<> over_one_connection(std::string url, std::string key) {
  auto db = co_await redis::open_connection(url);
  co_await with_client(std::move(db), [&](redis::client& shared) -> task<> {
    std::vector<task<redis::reply>> commands;
    for (int i = 0; i < 100; ++i)
      commands.push_back(shared.command("incr", key));
    const auto replies = co_await gather(std::move(commands));
    std::cout << "a hundred at once: the last one is " << replies.back().get<int>() << '\n';
    static_cast<void>(co_await shared.command("del", key));
  });
}

task<> show(std::string url) {
  static_cast<void>(co_await redis::open_connection(url)); // is anybody there?
  const std::string key = "troupe:demo:" + std::to_string(random_bits());
  co_await over_a_pool(url, key);
  co_await over_one_connection(url, key);
}

/// Runs `body(url)` beside a server that keeps nothing.
template <class Body>
task<> with_own_server(Body body) {
  co_await with_temporary_directory([&](const std::filesystem::path& directory) -> task<> {
    const std::string socket = directory / "redis.sock";
    command server("redis-server", "--port", "0", "--unixsocket", socket, "--save", "");
    server.std_in(child_io::null).std_out(child_io::pipe);
    co_await with_process(server, [&](process& p) -> task<> {
      buffered_reader says(p.std_out());
      for (;;) {
        const auto line = co_await says.read_line();
        if (!line || line->find("ready to accept connections") != std::string::npos)
          break;
      }
      co_await body(socket);
    });
  });
}

task<> parent(std::vector<std::string> args) {
  try {
    if (args.size() > 1)
      co_await show(args[1]);
    else
      co_await with_own_server(show);
  } catch (const process_error& e) {
    std::cout << e.what() << ": install redis-server, or give the address of one\n";
  } catch (const net_error& e) {
    std::cout << e.what() << '\n';
  }
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
