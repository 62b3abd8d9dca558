// SPDX-License-Identifier: BSD-3-Clause
// bench_http: an HTTP server that answers "Hello, World!" on one loop, for http_client.py. Prints
// its port.
#include <troupe/http/server.hpp>
#include <troupe/troupe.hpp>

#include <cstdio>

using namespace troupe;

namespace {

task<> hello(http::request&, http::response& rs) {
  rs.body = "Hello, World!";
  co_return;
}

task<> serve() {
  tcp_listener listener(0, {.address = "127.0.0.1"});
  std::printf("%u\n", static_cast<unsigned>(listener.port()));
  std::fflush(stdout);
  co_await http::serve(hello, std::move(listener));
}

} // namespace

int main() {
  run_options options;
  options.loops = 1;
  run(options, serve);
}
