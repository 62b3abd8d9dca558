// SPDX-License-Identifier: BSD-3-Clause
// Bugs in copies of demos/connection_pool.cpp and demos/worker_pool.cpp.
#include "planted.hpp"

#include <troupe/actors/connection_pool.hpp>
#include <troupe/actors/echo.hpp>
#include <troupe/actors/worker_pool.hpp>

#include <chrono>
#include <map>
#include <string>
#include <vector>

using namespace planted;

namespace {

/// demos/connection_pool.cpp, with its server. Planted: the leases of connections that have failed
/// are kept.
namespace connection_pool_demo {

using tcp_pool = connection_pool<tcp_stream>;

task<std::string> handler(tcp_pool& pool, std::string message, bool planted,
                          std::vector<lease<tcp_stream>>& to_look_at) {
  auto server = co_await pool.borrow(5s);
  try {
    co_await server->write_all(message + "\n");
    buffered_reader in(*server);
    const auto answer = co_await in.read_line();
    if (!answer)
      throw end_of_stream("read from", server->peer(), "the server has gone");
    co_return "echo: " + *answer;
  } catch (const net_error&) {
    if (planted)
      to_look_at.push_back(std::move(server)); // later: nobody ever does
    throw;
  }
} // the connection goes back here

task<> ask(bool planted) {
  connection_functions<tcp_stream> functions;
  functions.open = []() { return open_tcp_stream("server", 9527); };
  connection_pool_options options;
  options.max = 3;
  co_await with_connection_pool(options, functions, [&](tcp_pool& pool) -> task<> {
    std::vector<lease<tcp_stream>> to_look_at;
    std::vector<task<std::string>> handlers;
    for (int i = 0; i < 10; ++i)
      handlers.push_back(handler(pool, "coro_" + std::to_string(i), planted, to_look_at));
    for (const auto& line : co_await gather_settled(std::move(handlers)))
      try {
        static_cast<void>(line.value());
      } catch (const net_error&) { // by plan
      }
  });
}

task<> parent(simulated_network& net, bool planted) {
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_service([&] {
      return net.on("server", []() -> task<> {
        const tcp_handler handler = [](tcp_stream& peer) { return echo(peer); };
        co_await serve_tcp(handler, 9527);
      });
    });
    co_await net.on("client", [&] { return ask(planted); });
  });
}

} // namespace connection_pool_demo

/// demos/worker_pool.cpp, where workers are lost by plan. Planted: a job that is done says so
/// itself, and is done again when its worker is lost just then.
namespace worker_pool_demo {

struct job {
  int number = 0;
  int attempts = 0;
};

using job_pool = worker_pool<job, std::string>;
using replies = std::map<int, std::vector<std::string>>; // to each job

task<std::string> do_job(job& j, replies* to) {
  ++j.attempts;
  co_await sleep_for((j.number % 4 + 1) * 10ms);
  if (j.number == 13)
    throw std::invalid_argument("an unlucky number");
  if (j.number == 7 && j.attempts < 3)
    throw timeout_error("no answer"); // which may help to ask again for
  if (to)
    (*to)[j.number].push_back("done");
  co_await checkpoint();
  co_return "done";
}

task<> ask_for(job_pool& pool, int number, bool planted, replies& all) {
  std::string result;
  bool done = false;
  try {
    result = co_await pool.run(job{number});
    done = true;
  } catch (const std::exception& e) {
    result = e.what();
  }
  if (!planted || !done)
    all[number].push_back(result);
}

task<> parent(bool planted) {
  worker_pool_options options;
  options.workers = 3;
  options.queue = 4; // who has more waits
  retry_policy again;
  again.first_delay = 20ms;
  options.retry = again;
  replies all;
  const auto work = [&](job& j) { return do_job(j, planted ? &all : nullptr); };
  co_await with_worker_pool(options, work, [&](job_pool& pool) -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int number = 1; number <= 20; ++number)
        n.start_soon(ask_for, std::ref(pool), number, planted, std::ref(all));
      co_return;
    });
  });
  for (int number = 1; number <= 20; ++number)
    demand(all[number].size() == 1, "job " + std::to_string(number) + " was answered "
                                      + std::to_string(all[number].size()) + " times");
}

} // namespace worker_pool_demo

} // namespace

BOOST_AUTO_TEST_SUITE(planted_bugs)

BOOST_AUTO_TEST_CASE(leaked_lease) {
  simulated_network net({.seed = 0});
  net.add_host("server");
  net.add_host("client");
  bug b{"leaked lease", [&](bool planted) { return connection_pool_demo::parent(net, planted); },
        "a lease of"};
  b.how.network = &net;
  b.how.faults = {resets("client:* > server:9527", when::sometimes(0.1))};
  is_found(b);
}

BOOST_AUTO_TEST_CASE(double_reply) {
  bug b{"double reply", worker_pool_demo::parent, "was answered 2 times"};
  b.how.faults = {is_cancelled_at("worker pool worker", when::sometimes(0.01))};
  is_found(b);
}

BOOST_AUTO_TEST_SUITE_END()
