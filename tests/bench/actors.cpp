// SPDX-License-Identifier: BSD-3-Clause
// The workloads of tasks as actors: bench_actors TEST. The same as peers/stock_caf.cpp.
#include "meter.hpp"

#include <troupe/troupe.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

long ended = 0;

task<> short_lived(mailbox&) {
  ++ended;
  co_return;
}

task<> echo(mailbox& in) {
  co_await in.serve([](int x) { return x; });
}

task<> adder(mailbox& in) {
  int total = 0;
  co_await in.serve([&](int x) { total += x; }, [&](double) { return total; });
}

task<> spawn() {
  const bench::meter m("troupe");
  for (int batch = 0; batch < 100; ++batch)
    co_await with_nursery([](nursery& n) -> task<> {
      for (int i = 0; i < 1000; ++i)
        n.start_actor(short_lived);
      co_return;
    });
  m.report("a1", 1e5);
  if (ended != 100'000)
    std::abort();
}

task<> requests(unsigned loop, int count, const char* test) {
  co_await with_nursery([&](nursery& n) -> task<> {
    const caf::actor server = n.start_actor_on(loop, echo).address();
    const bench::meter m("troupe");
    for (int i = 0; i < count; ++i)
      if (co_await request<int>(server, duration::max(), i) != i)
        std::abort();
    m.report(test, count);
    n.cancel();
  });
}

task<> one_way() {
  co_await with_nursery([&](nursery& n) -> task<> {
    const caf::actor server = n.start_actor(adder).address();
    const bench::meter m("troupe");
    for (int burst = 1; burst <= 500; ++burst) {
      for (int i = 0; i < 1000; ++i)
        send(server, 1);
      if (co_await request<int>(server, duration::max(), 0.0) != burst * 1000)
        std::abort();
    }
    m.report("a4", 5e5);
    n.cancel();
  });
}

task<> memory() {
  constexpr int count = 100'000;
  const caf::actor_system& warm = actor_system();
  static_cast<void>(warm);
  const double before = bench::resident();
  co_await with_nursery([&](nursery& n) -> task<> {
    for (int i = 0; i < count; ++i)
      n.start_actor(echo);
    co_await sleep_for(50ms);
    bench::report_bytes("a5", "troupe", (bench::resident() - before) / count);
    n.cancel();
  });
}

} // namespace

int main(int argc, char** argv) {
  const std::string test = argc > 1 ? argv[1] : "";
  const auto on = [](unsigned loops, auto fn) { run(run_options{.loops = loops}, fn); };
  if (test == "a1")
    on(1, spawn);
  else if (test == "a2")
    on(1, [] { return requests(0, 300'000, "a2"); });
  else if (test == "a3")
    on(2, [] { return requests(1, 50'000, "a3"); });
  else if (test == "a4")
    on(1, one_way);
  else if (test == "a5")
    on(1, memory);
  else {
    std::fprintf(stderr, "bench_actors: a1 to a5, not '%s'\n", test.c_str());
    return 2;
  }
}
