// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/testing/explore.hpp>
#include <troupe/testing/network.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

/// Copies of demos, as short as they can be, in which one thing is wrong if `planted` says so. The
/// kit has to find that, and nothing in the same copy without it. In which run it is found is
/// listed in docs/explored.md: `planted_bugs_tests --log_level=message` prints it.
namespace planted {

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

inline void demand(bool holds, const std::string& what) {
  if (!holds)
    throw std::logic_error(what);
}

/// A bug in the copy of a demo.
struct bug {
  const char* name;
  std::function<task<>(bool planted)> copy;
  const char* why; ///< of the failure, a part
  simulation_options how = {};
};

/// Each schedule finds the bug; without it, neither finds anything in `runs` runs of the same
/// program, under the same faults, or in so many as TROUPE_EXPLORE_RUNS says.
inline void is_found(const bug& b, std::uint64_t runs = 500) {
  const char* const wanted = std::getenv("TROUPE_EXPLORE_RUNS");
  const std::uint64_t runs_without = wanted ? std::stoull(wanted) : runs;
  explore_options o;
  o.simulation = b.how;
  o.simulation.shuffle_ready = true;
  for (const auto& [order, called] :
       {std::pair(schedule::random, "random"), std::pair(schedule::priorities, "priorities")}) {
    o.simulation.order = order;
    const exploration found = explore([&b] { return b.copy(true); }, runs, o);
    BOOST_TEST_REQUIRE(found.failure.has_value(), b.name << " is not found, " << called);
    BOOST_TEST(found.failure->why().find(b.why) != std::string::npos,
               b.name << ", " << called << ": " << found.text());
    BOOST_TEST_MESSAGE(b.name << ", " << called << ": run " << found.runs
                              << ", TROUPE_SEED=" << found.replay);
    const exploration none = explore([&b] { return b.copy(false); }, runs_without, o);
    BOOST_TEST(!none.failure.has_value(), b.name << " is not there: " << none.text());
    BOOST_TEST(none.runs == runs_without);
  }
}

} // namespace planted
