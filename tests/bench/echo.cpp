// SPDX-License-Identifier: BSD-3-Clause
// A TCP echo server on one loop, for peers/echo_client.cpp. Prints its port.
#include <troupe/troupe.hpp>

#include <array>
#include <cstdio>
#include <span>

using namespace troupe;

namespace {

task<> echo(tcp_stream& peer) {
  std::array<std::byte, 1024> buffer;
  while (const auto n = co_await peer.read_some(buffer))
    co_await peer.write_all(std::span(buffer).first(n));
}

task<> serve() {
  tcp_listener listener(0, {.address = "127.0.0.1"});
  const std::string local = listener.local();
  std::printf("%s\n", local.substr(local.rfind(':') + 1).c_str());
  std::fflush(stdout);
  co_await serve_listener(echo, std::move(listener));
}

} // namespace

int main() { run(run_options{.loops = 1}, serve); }
