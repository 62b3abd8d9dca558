// SPDX-License-Identifier: BSD-3-Clause
// The workloads of docs/performance.md on one loop: bench TEST. Prints
// test, peer, wall ns and CPU ns an operation (bytes a task for 5a and 5b).
#include "meter.hpp"

#include <troupe/troupe.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

using bench::meter;
using bench::resident;

long counter = 0;

task<> child() {
  ++counter;
  co_return;
}

task<> yielding_child() {
  co_await checkpoint();
  ++counter;
}

task<> spawn(task<> (*fn)(), const char* test) {
  const meter m("troupe");
  for (int batch = 0; batch < 1000; ++batch)
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 1000; ++i)
        n.start_soon(fn);
      co_return;
    });
  m.report(test, 1e6);
  if (counter != 1'000'000)
    std::abort();
}

task<> yield_often(long n) {
  for (long i = 0; i < n; ++i)
    co_await checkpoint();
}

task<> yields() {
  const meter m("troupe");
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon(yield_often, 2'500'000L);
    n.start_soon(yield_often, 2'500'000L);
    co_return;
  });
  m.report("2", 5e6);
}

/// Passes a value through two queues of the capacity and checks the echo.
task<> ping_pong(std::size_t capacity, long n, const char* test) {
  auto a = make_channel<int>(capacity);
  auto b = make_channel<int>(capacity);
  const meter m("troupe");
  co_await with_nursery([&](nursery& group) -> task<> {
    group.start_soon([&]() -> task<> {
      for (int i = 0; i < n; ++i)
        co_await b.tx.send(co_await a.rx.receive());
    });
    for (int i = 0; i < n; ++i) {
      co_await a.tx.send(i);
      if (co_await b.rx.receive() != i)
        std::abort();
    }
  });
  m.report(test, 2.0 * static_cast<double>(n));
}

task<> one_way() {
  constexpr int n = 2'000'000;
  auto a = make_channel<int>(1);
  const meter m("troupe");
  co_await with_nursery([&](nursery& group) -> task<> {
    group.start_soon([&]() -> task<> {
      for (int i = 0; i < n; ++i)
        co_await a.tx.send(i);
    });
    for (int i = 0; i < n; ++i)
      if (co_await a.rx.receive() != i)
        std::abort();
  });
  m.report("3b", n);
}

/// Two tasks that wake each other and wait.
task<> park_and_wake() {
  constexpr int n = 2'500'000;
  std::optional<event> ping(std::in_place), pong(std::in_place);
  const meter m("troupe");
  co_await with_nursery([&](nursery& group) -> task<> {
    group.start_soon([&]() -> task<> {
      for (int i = 0; i < n; ++i) {
        co_await ping->wait();
        ping.emplace();
        pong->set();
      }
    });
    for (int i = 0; i < n; ++i) {
      ping->set();
      co_await pong->wait();
      pong.emplace();
    }
  });
  m.report("2c", 2.0 * n);
}

task<> sleeper() { co_await sleep_for(1h); }

task<> cancel() {
  constexpr int n = 100'000;
  meter m("troupe");
  co_await with_nursery([&](nursery& group) -> task<> {
    for (int i = 0; i < n; ++i)
      group.start_soon(sleeper);
    co_await checkpoint();
    co_await checkpoint();
    m.report("4x", n);
    co_await sleep_for(50ms);
    m = meter("troupe");
    group.cancel();
  });
  m.report("4", n);
}

task<> parked(event& e) { co_await e.wait(); }

task<> memory(bool asleep) {
  constexpr int n = 1'000'000;
  event never;
  const double before = resident();
  co_await with_nursery([&](nursery& group) -> task<> {
    for (int i = 0; i < n; ++i) {
      if (asleep)
        group.start_soon(sleeper);
      else
        group.start_soon(parked, std::ref(never));
    }
    co_await sleep_for(50ms);
    bench::report_bytes(asleep ? "5a" : "5b", "troupe", (resident() - before) / n);
    group.cancel();
  });
}

} // namespace

int main(int argc, char** argv) {
  const std::string test = argc > 1 ? argv[1] : "";
  const auto on_one_loop = [](auto fn) { run(run_options{.loops = 1}, fn); };
  if (test == "1a")
    on_one_loop([] { return spawn(child, "1a"); });
  else if (test == "1b")
    on_one_loop([] { return spawn(yielding_child, "1b"); });
  else if (test == "2")
    on_one_loop(yields);
  else if (test == "2c")
    on_one_loop(park_and_wake);
  else if (test == "2d")
    on_one_loop([] { return ping_pong(0, 2'500'000, "2d"); });
  else if (test == "3a")
    on_one_loop([] { return ping_pong(1, 1'000'000, "3a"); });
  else if (test == "3b")
    on_one_loop(one_way);
  else if (test == "4")
    on_one_loop(cancel);
  else if (test == "5a" || test == "5b")
    on_one_loop([&] { return memory(test == "5a"); });
  else {
    std::fprintf(stderr, "bench: 1a, 1b, 2, 2c, 2d, 3a, 3b, 4, 5a or 5b, not '%s'\n", test.c_str());
    return 2;
  }
}
