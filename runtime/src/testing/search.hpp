// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/testing/explore.hpp>

#include <cstdint>
#include <optional>

namespace troupe::testing::internal {

struct search_result {
  std::optional<std::uint64_t> failing; // the lowest seed
  int signal = 0;                       // that has ended its process, with that seed
};

/// Runs `runs` seeds, in processes side by side if that can be had. Throws
/// `std::system_error`.
[[nodiscard]] search_result search(const simulated_program& program, std::uint64_t runs,
                                   const explore_options& options);

} // namespace troupe::testing::internal
