// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/testing/explore.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace troupe::testing::internal {

struct search_result {
  std::optional<std::uint64_t> failing; // the lowest seed
  int signal = 0;                       // that has ended its process, with that seed
  std::vector<std::size_t> unmatched;   // faults of the plan, in all runs, if none has failed
};

/// Whether it has failed, and not only for want of what the plan names: one run of many need
/// not have all of it.
[[nodiscard]] bool has_failed(const simulation_report& r) noexcept;

/// Runs `runs` seeds, in processes side by side if that can be had. Throws
/// `std::system_error`.
[[nodiscard]] search_result search(const simulated_program& program, std::uint64_t runs,
                                   const explore_options& options);

} // namespace troupe::testing::internal
