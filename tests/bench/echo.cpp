// SPDX-License-Identifier: BSD-3-Clause
// bench_echo [bulk | work LOOPS]: a TCP echo server for peers/echo_client.cpp. Prints its port.
// bulk: with large buffers; work: computes for each request, on so many loops.
#include <troupe/troupe.hpp>

#include <array>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using namespace troupe;

namespace {

task<> echo(tcp_stream& peer) {
  std::array<std::byte, 1024> buffer;
  while (const auto n = co_await peer.read_some(buffer))
    co_await peer.write_all(std::span(buffer).first(n));
}

task<> echo_bulk(tcp_stream& peer) {
  std::vector<std::byte> buffer(65536);
  while (const auto n = co_await peer.read_some(buffer))
    co_await peer.write_all(std::span(buffer).first(n));
}

task<> echo_after_work(tcp_stream& peer) {
  std::array<std::byte, 1024> buffer;
  while (const auto n = co_await peer.read_some(buffer)) {
    unsigned sum = 0;
    for (int round = 0; round < 1000; ++round) // about 100 microseconds
      for (const std::byte b : std::span(buffer).first(n))
        sum = sum * 31 + static_cast<unsigned>(b);
    buffer[0] = static_cast<std::byte>(sum);
    co_await peer.write_all(std::span(buffer).first(n));
  }
}

task<> serve(tcp_handler handler, bool spread) {
  tcp_listener listener(0, {.address = "127.0.0.1"});
  const std::string local = listener.local();
  std::printf("%s\n", local.substr(local.rfind(':') + 1).c_str());
  std::fflush(stdout);
  serve_options options;
  options.spread = spread;
  co_await serve_listener(std::move(handler), std::move(listener), options);
}

} // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  const bool work = what == "work" && argc > 2;
  run_options options;
  options.loops = work ? static_cast<unsigned>(std::stoul(argv[2])) : 1;
  run(options, serve,
      tcp_handler(work             ? echo_after_work
                  : what == "bulk" ? echo_bulk
                                   : echo),
      work);
}
