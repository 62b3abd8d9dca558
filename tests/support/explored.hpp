// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/random.hpp>
#include <troupe/testing/explore.hpp>
#include <troupe/testing/network.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

/// Programs that run in many orders, while tasks fail, are cancelled and stall. Each is tried with
/// so many seeds as TROUPE_EXPLORE_RUNS says, else as the test does. What was found is listed in
/// docs/explored.md.
namespace troupe_test {

using namespace troupe;
using namespace troupe::testing;

inline void demand(bool holds, const std::string& what) {
  if (!holds)
    throw std::logic_error(what);
}

/// What a plan throws: nothing else may fail.
struct by_plan : std::runtime_error {
  by_plan() : std::runtime_error("by plan") {}
};

inline std::chrono::milliseconds some_time() {
  return std::chrono::milliseconds(random_bits() % 8);
}

inline fault fail(const char* tasks, double chance) {
  return fails(tasks, when::sometimes(chance), by_plan());
}
inline fault cancel(const char* tasks, double chance) {
  return is_cancelled_at(tasks, when::sometimes(chance));
}
inline fault stall(const char* tasks, double chance) {
  return stalls(tasks, when::sometimes(chance), std::chrono::milliseconds(5));
}

/// Explores `program` by both schedules, with so many seeds each.
inline void explore_with(const std::function<task<>()>& program, simulation_options how,
                         std::uint64_t seeds = 200) {
  if (const char* const wanted = std::getenv("TROUPE_EXPLORE_RUNS"))
    seeds = std::stoull(wanted);
  explore_options o;
  o.simulation = std::move(how);
  o.simulation.shuffle_ready = true;
  for (const schedule order : {schedule::random, schedule::priorities}) {
    o.simulation.order = order;
    const exploration e = explore(program, seeds, o);
    BOOST_TEST(!e.failure.has_value(), e.text());
    BOOST_TEST(e.runs == seeds);
  }
}

/// On three loops, with these faults.
inline void explore_with(const std::function<task<>()>& program, std::vector<fault> faults,
                         std::vector<invariant> invariants = {}) {
  simulation_options how;
  how.loops = 3;
  how.faults = std::move(faults);
  how.invariants = std::move(invariants);
  explore_with(program, std::move(how));
}

} // namespace troupe_test
