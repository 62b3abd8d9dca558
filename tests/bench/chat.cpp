// SPDX-License-Identifier: BSD-3-Clause
// bench_chat: a chat without a history and without limits, for peers/chat_client.cpp. Prints its
// port.
#include <troupe/chat/service.hpp>
#include <troupe/troupe.hpp>

#include <cstdio>
#include <memory>

using namespace troupe;

namespace {

task<> serve() {
  tcp_listener listener(0, {.address = "127.0.0.1"});
  std::printf("%u\n", static_cast<unsigned>(listener.port()));
  std::fflush(stdout);
  chat::service_options options;
  options.lines_per_second = 1'000'000;
  options.burst = 1'000'000;
  chat::service chat(std::make_unique<chat::memory_history>(), options);
  co_await with_nursery([&](nursery& n) -> task<> {
    co_await n.start([&](task_status<>& ready) { return chat.run(ready); });
    co_await serve_listener(chat.tcp(), std::move(listener));
  });
}

} // namespace

int main() {
  raise_descriptor_limit();
  run_options options;
  options.loops = 1;
  run(options, serve);
}
