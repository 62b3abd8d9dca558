// SPDX-License-Identifier: BSD-3-Clause
// The workloads of docs/performance.md on one loop: bench TEST. Prints
// test, peer, wall ns and CPU ns an operation (bytes a task for 5a and 5b).
#include <troupe/troupe.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <unistd.h>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

double seconds_of(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

class meter {
public:
  void report(const char* test, double operations) const {
    std::printf("%s\ttroupe\t%.1f\t%.1f\n", test,
                (seconds_of(CLOCK_MONOTONIC) - wall_) * 1e9 / operations,
                (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu_) * 1e9 / operations);
  }

private:
  double wall_ = seconds_of(CLOCK_MONOTONIC);
  double cpu_ = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
};

double resident() {
  std::FILE* f = std::fopen("/proc/self/statm", "r");
  long total = 0, pages = 0;
  if (!f || std::fscanf(f, "%ld %ld", &total, &pages) != 2)
    std::abort();
  std::fclose(f);
  return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

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
  const meter m;
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
  const meter m;
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
  const meter m;
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
  const meter m;
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

task<> sleeper() { co_await sleep_for(1h); }

task<> cancel() {
  constexpr int n = 100'000;
  meter m;
  co_await with_nursery([&](nursery& group) -> task<> {
    for (int i = 0; i < n; ++i)
      group.start_soon(sleeper);
    co_await checkpoint();
    co_await checkpoint();
    m.report("4x", n);
    co_await sleep_for(50ms);
    m = meter();
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
    std::printf("%s\ttroupe\t%.1f\t0\n", asleep ? "5a" : "5b", (resident() - before) / n);
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
    on_one_loop([] { return ping_pong(0, 2'500'000, "2c"); });
  else if (test == "3a")
    on_one_loop([] { return ping_pong(1, 1'000'000, "3a"); });
  else if (test == "3b")
    on_one_loop(one_way);
  else if (test == "4")
    on_one_loop(cancel);
  else if (test == "5a" || test == "5b")
    on_one_loop([&] { return memory(test == "5a"); });
  else {
    std::fprintf(stderr, "bench: 1a, 1b, 2, 2c, 3a, 3b, 4, 5a or 5b, not '%s'\n", test.c_str());
    return 2;
  }
}
