// SPDX-License-Identifier: BSD-3-Clause
// tls_echo CERTIFICATE KEY: a TLS echo server on one loop, for peers/tls_client.cpp. Prints
// its port.
#include <troupe/troupe.hpp>

#include <array>
#include <cstdio>
#include <span>

using namespace troupe;

namespace {

task<> echo(tls_stream& peer) {
  std::array<std::byte, 1024> buffer;
  while (const auto n = co_await peer.read_some(buffer))
    co_await peer.write_all(std::span(buffer).first(n));
}

task<> serve(const char* certificate, const char* key) {
  const tls_server_context context(certificate, key);
  tcp_listener listener(0, {.address = "127.0.0.1"});
  const std::string local = listener.local();
  std::printf("%s\n", local.substr(local.rfind(':') + 1).c_str());
  std::fflush(stdout);
  co_await serve_tls_listener(echo, std::move(listener), context);
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 3)
    return 2;
  raise_descriptor_limit();
  run(run_options{.loops = 1}, serve, argv[1], argv[2]);
}
