// SPDX-License-Identifier: BSD-3-Clause
// A bug in a copy of demos/connections.cpp.
#include "planted.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

using namespace planted;

namespace {

/// demos/connections.cpp, and some who connect. Planted: connections are in its map until somebody
/// tidies up, which nobody does when one is cut off.
namespace connections_demo {

struct entry {
  std::weak_ptr<tcp_stream> connection;
  std::shared_ptr<tcp_stream> kept = {};
};
using registry = std::map<std::string, entry>;

std::vector<std::shared_ptr<tcp_stream>> alive(registry& all) {
  std::vector<std::shared_ptr<tcp_stream>> result;
  std::erase_if(all, [&](const auto& e) {
    auto s = e.second.connection.lock();
    if (s)
      result.push_back(std::move(s));
    return e.second.connection.expired();
  });
  return result;
}

task<> say_to(tcp_stream& other, const std::string& text) {
  try {
    co_await move_on_after(1s, [&]() -> task<> { co_await other.write_all(text); });
  } catch (const net_error&) { // it has left
  }
}

task<> connected(tcp_stream& accepted, registry& all, bool planted) {
  const auto self = std::make_shared<tcp_stream>(std::move(accepted));
  all[self->peer()] = {self, planted ? self : nullptr};

  buffered_reader lines(*self, 1000);
  while (const auto line = co_await lines.read_line()) {
    const auto others = alive(all);
    for (const auto& c : others)
      if (c != self)
        co_await say_to(*c, self->peer() + ": " + *line + "\n");
  }
  if (planted)
    all.erase(self->peer());
}

task<> guest() {
  try {
    tcp_stream s = co_await open_tcp_stream("server", 12346);
    for (int i = 0; i < 3; ++i) {
      co_await s.write_all("hello\n");
      co_await sleep_for(std::chrono::milliseconds(random_bits() % 10));
    }
    co_await s.send_eof();
    co_await move_on_after(1s, [&]() -> task<> { // hears the others
      std::vector<std::byte> buffer(1000);
      for (std::size_t got = 1; got != 0;)
        got = co_await s.read_some(buffer);
    });
  } catch (const net_error&) { // by plan
  }
}

task<> parent(simulated_network& net, bool planted) {
  registry all;
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_service([&] {
      return net.on("server", [&]() -> task<> {
        const tcp_handler handler = [&](tcp_stream& peer) { return connected(peer, all, planted); };
        co_await serve_tcp(handler, 12346);
      });
    });
    co_await net.on("client", [&]() -> task<> {
      co_await with_nursery([&](nursery& guests) -> task<> {
        for (int i = 0; i < 3; ++i)
          guests.start_soon(guest);
        co_return;
      });
    });
    co_await sleep_for(10s);
    for (const auto& c : alive(all))
      demand(false, c->peer() + " has left and is still in the list");
  });
}

} // namespace connections_demo

} // namespace

BOOST_AUTO_TEST_SUITE(planted_bugs)

BOOST_AUTO_TEST_CASE(stale_registry_entry) {
  simulated_network net({.seed = 0});
  net.add_host("server");
  net.add_host("client");
  bug b{"stale registry entry",
        [&](bool planted) { return connections_demo::parent(net, planted); },
        "is still in the list"};
  b.how.network = &net;
  b.how.faults = {is_cancelled_at("connection from*", when::sometimes(0.01))};
  is_found(b);
}

BOOST_AUTO_TEST_SUITE_END()
