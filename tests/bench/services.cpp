// SPDX-License-Identifier: BSD-3-Clause
// The workloads of actors/: bench_services TEST. Go's are in peers/peer.go, Erlang's in
// peers/peer_erlang.erl.
#include "meter.hpp"

#include <troupe/actors/supervisor.hpp>
#include <troupe/actors/worker_pool.hpp>
#include <troupe/troupe.hpp>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

using namespace troupe;

namespace {

using int_pool = worker_pool<int, int>;

task<int> trivial(int& x) { co_return x + 1; }

worker_pool_options pool_of_four(bool spread) {
  worker_pool_options options;
  options.workers = 4;
  options.spread = spread;
  return options;
}

/// Jobs are handed over; the time until all are done.
task<> hand_over(const char* test, int count, bool spread) {
  const worker_pool_options options = pool_of_four(spread);
  co_await with_worker_pool(options, trivial, [&](int_pool& pool) -> task<> {
    const bench::meter m("troupe");
    for (int i = 0; i < count; ++i)
      co_await pool.submit(i);
    co_await pool.drain();
    m.report(test, count);
    if (pool.statistics().done != static_cast<std::uint64_t>(count))
      std::abort();
  });
}

/// One job after the other, each with its result.
task<> ask(const char* test, int count, bool spread) {
  const worker_pool_options options = pool_of_four(spread);
  co_await with_worker_pool(options, trivial, [&](int_pool& pool) -> task<> {
    const bench::meter m("troupe");
    for (int i = 0; i < count; ++i)
      if (co_await pool.run(i) != i + 1)
        std::abort();
    m.report(test, count);
  });
}

supervisor_options silent() {
  supervisor_options options;
  options.intensity = 1'000'000;
  options.on_event = [](const supervisor_event&) {};
  return options;
}

/// A child that crashes, or returns, whenever it is started.
task<> restart_often(int count, bool crash) {
  const supervisor_options options = silent();
  int lives = 0;
  event done;
  const child_spec child{.name = "child", .start = [&]() -> task<> {
                           if (++lives > count) {
                             done.set();
                             co_await sleep_forever();
                           }
                           if (crash)
                             throw std::runtime_error("crash");
                         }};
  co_await with_supervisor(options, [&](supervisor& s) -> task<> {
    co_await s.start_child(child);
    co_await done.wait();
    co_await s.stop_child("child");
  });
}

task<> restarts(const char* test, bool crash) {
  const bench::meter m("troupe");
  for (int i = 0; i < 500; ++i)
    co_await restart_often(200, crash);
  m.report(test, 100'000);
}

/// One of many crashes, and all are started again; per child.
task<> restart_all(const char* peer, int children, int rounds) {
  supervisor_options options = silent();
  options.restart_strategy = strategy::one_for_all;
  int lives = 0;
  event crash_now;
  event done;
  co_await with_cancel_scope([&](cancel_scope& scope) -> task<> {
    co_await with_supervisor(options, [&](supervisor& s) -> task<> {
      const auto sleeper = []() -> task<> { co_await sleep_forever(); };
      for (int i = 1; i < children; ++i) {
        const child_spec child{.name = "child " + std::to_string(i), .start = sleeper};
        co_await s.start_child(child);
      }
      const child_spec last{.name = "last", .start = [&]() -> task<> {
                              if (lives++ == 0)
                                co_await crash_now.wait();
                              if (lives <= rounds)
                                throw std::runtime_error("crash");
                              done.set();
                              co_await sleep_forever();
                            }};
      co_await s.start_child(last);
      const bench::meter m(peer);
      crash_now.set();
      co_await done.wait();
      m.report("v3", static_cast<double>(children) * rounds);
      if (s.children().front().restarts != 0 && lives != rounds + 1)
        std::abort();
      scope.cancel(); // stops them
    });
  });
}

} // namespace

int main(int argc, char** argv) {
  const std::string test = argc > 1 ? argv[1] : "";
  const auto on = [](unsigned loops, auto fn) { run(run_options{.loops = loops}, fn); };
  if (test == "w1")
    on(1, [] { return hand_over("w1", 1'000'000, false); });
  else if (test == "w2")
    on(1, [] { return ask("w2", 500'000, false); });
  else if (test == "w3")
    on(2, [] { return hand_over("w3", 300'000, true); });
  else if (test == "v1")
    on(1, [] { return restarts("v1", true); });
  else if (test == "v2")
    on(1, [] { return restarts("v2", false); });
  else if (test == "v3" || test == "v3h") {
    const bool many = test == "v3";
    on(1, [&] {
      return restart_all(many ? "troupe" : "hundred", many ? 10'000 : 100, many ? 20 : 2'000);
    });
  } else {
    std::fprintf(stderr, "bench_services: w1, w2, w3, v1, v2, v3, v3h, not '%s'\n", test.c_str());
    return 2;
  }
}
