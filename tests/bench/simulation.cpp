// SPDX-License-Identifier: BSD-3-Clause
// What a simulated step costs beside a real one, where two tasks of one loop yield to each
// other, and where two loops hand a value to and fro: bench_simulation. Prints as bench does.
#include "meter.hpp"

#include <troupe/testing/simulation.hpp>
#include <troupe/troupe.hpp>

#include <cstdlib>
#include <utility>

using namespace troupe;

namespace {

constexpr long yields = 1'000'000;
constexpr long hands = 100'000;

task<> yield_often() {
  for (long i = 0; i < yields / 2; ++i)
    co_await checkpoint();
}

task<> two_that_yield() {
  co_await with_nursery([](nursery& n) -> task<> {
    n.start_soon(yield_often);
    n.start_soon(yield_often);
    co_return;
  });
}

task<> two_loops() {
  auto there = make_channel<long>(1);
  auto back = make_channel<long>(1);
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_on(
      1,
      [](receive_channel<long> in, send_channel<long> out) -> task<> {
        for (long i = 0; i < hands; ++i)
          co_await out.send(co_await in.receive());
      },
      std::move(there.rx), std::move(back.tx));
    for (long i = 0; i < hands; ++i) {
      co_await there.tx.send(i);
      if (co_await back.rx.receive() != i)
        std::abort();
    }
  });
}

template <class F>
void measure(const char* test, F program, unsigned loops, double operations) {
  const bench::meter real("real");
  run(run_options{.loops = loops}, program);
  real.report(test, operations);
  testing::simulation_options options;
  options.loops = loops;
  options.max_steps = 100'000'000;
  const bench::meter simulated("troupe");
  if (testing::simulate(1, program, options).failed())
    std::abort();
  simulated.report(test, operations);
}

} // namespace

int main() {
  measure("s1", two_that_yield, 1, yields);
  measure("s2", two_loops, 2, hands);
}
