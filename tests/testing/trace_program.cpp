// SPDX-License-Identifier: BSD-3-Clause
// Writes a picture for trace_test.py: of a simulation, and of what it draws itself.
#include <troupe/testing/simulation.hpp>
#include <troupe/testing/trace.hpp>
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>
#include <limits>
#include <stdexcept>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

task<> worker() {
  for (int i = 0; i < 3; ++i)
    co_await sleep_for(1s);
}

task<> program(testing::trace& picture) {
  const auto ann = picture.add_track("people", "ann");
  const auto bob = picture.add_track("people", "bob \"\\\n\xc3\xbc \xff \xed\xa0\x80 \xe2\x82");
  const auto online = picture.add_track("numbers", "online");
  picture.begin(ann, "online");
  picture.count(online, 1);
  picture.begin(ann, "writes");
  co_await with_nursery([](nursery& n) -> task<> {
    n.start_soon(named("worker", worker));
    n.start_on(1, named("worker", worker));
    co_return;
  });
  picture.end(ann, "by and by");
  picture.instant(ann, "sends");
  picture.end(ann);
  picture.count(online, std::numeric_limits<double>::infinity());
  picture.begin(bob, "is late");
  picture.instant(bob, "before all others", time_point(1500ns));
  co_await with_nursery([](nursery& n) -> task<> {
    n.start_soon(named("worker", worker));
    co_return;
  });
}

} // namespace

int main() {
  testing::trace picture;
  testing::simulation_options options;
  options.record = &picture;
  options.faults = {
    testing::fails("worker", testing::when::at(6), std::runtime_error("no network")),
    testing::stalls("worker", testing::when::at(2), 10s),
  };
  const auto report = testing::simulate(
    1, [&] { return program(picture); }, options);
  std::cerr << report.text();
  picture.write(std::cout);
  return report.failed() ? 1 : 0;
}
