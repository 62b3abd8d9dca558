// SPDX-License-Identifier: BSD-3-Clause
// Keeping track of many connections: a map from the peer's name to a weak
// reference. A connection that ends is simply gone from it; nobody has to tidy up.
// Try: connections [port]        and in other terminals: nc localhost 12346
// Each line goes to all others; "list" shows who is there.
#include <troupe/troupe.hpp>

#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

using namespace troupe;

using registry = std::map<std::string, std::weak_ptr<tcp_stream>>;

std::vector<std::shared_ptr<tcp_stream>> alive(registry& all) {
  std::vector<std::shared_ptr<tcp_stream>> result;
  std::erase_if(all, [&](const auto& entry) {
    auto s = entry.second.lock();
    if (s)
      result.push_back(std::move(s));
    return entry.second.expired();
  });
  return result;
}

task<> say_to(tcp_stream& other, const std::string& text) {
  // one slow or dead peer must not hold the others up, nor end this connection
  try {
    co_await move_on_after(std::chrono::seconds(1),
                           [&]() -> task<> { co_await other.write_all(text); });
  } catch (const std::exception& e) {
    std::cout << e.what() << std::endl;
  }
}

task<> connected(tcp_stream& accepted, registry& all) {
  const auto self = std::make_shared<tcp_stream>(std::move(accepted));
  all[self->peer()] = self;
  std::cout << "new connection from " << self->peer() << std::endl;

  buffered_reader lines(*self, 1000);
  while (const auto line = co_await lines.read_line()) {
    if (*line == "list") {
      std::string names;
      for (const auto& c : alive(all))
        names += c->peer() + "\n";
      co_await self->write_all(names);
      continue;
    }
    for (const auto& c : alive(all))
      if (c != self)
        co_await say_to(*c, self->peer() + ": " + *line + "\n");
  }
  std::cout << self->peer() << " has left" << std::endl;
}

task<> serve(std::vector<std::string> args) {
  const int port = args.size() > 1 ? std::stoi(args[1]) : 12346;
  tcp_listener listener(static_cast<std::uint16_t>(port), {.address = "127.0.0.1"});
  std::cout << "listening on " << listener.local() << ", Ctrl-C ends" << std::endl;
  registry all;
  auto handler = [&all](tcp_stream& peer) { return connected(peer, all); };
  co_await serve_listener(handler, std::move(listener));
}

int main(int argc, char** argv) { return troupe::main(argc, argv, serve); }
