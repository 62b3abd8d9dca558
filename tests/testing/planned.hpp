// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/testing/simulation.hpp>
#include <troupe/troupe.hpp>

#include <chrono>
#include <utility>
#include <vector>

/// What is run under plans of faults.
namespace troupe_test {

using namespace troupe;
using namespace troupe::testing;

inline simulation_options with(std::vector<fault> faults) {
  simulation_options o;
  o.faults = std::move(faults);
  return o;
}

/// Three users of one lease, who `work` with it, which may take memory: with an `Error` the lease
/// is gone, and the next one waits for ever.
template <class Error, class Work>
task<> share_a_lease(Work work) {
  auto leases = make_channel<int>(1);
  co_await leases.tx.send(1);
  co_await with_nursery([&](nursery& n) -> task<> {
    for (int i = 0; i < 3; ++i)
      n.start_soon(named("user", [&]() -> task<> {
        try {
          const int lease = co_await leases.rx.receive();
          [[maybe_unused]] const auto result = work();
          co_await sleep_for(std::chrono::milliseconds(1));
          co_await leases.tx.send(lease); // if nothing happens
        } catch (const Error&) {
        }
      }));
    co_return;
  });
}

} // namespace troupe_test
