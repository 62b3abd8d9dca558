// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/testing/simulation.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::testing::internal {

/// What brings one run back: `seed`, `seed:hash`, or, of one that was made simpler, with some
/// of these between the two, in this order:
/// - `~fault,...`: leaves faults of the plan out,
/// - `@decision=way,...`: all other decisions are those of `schedule::in_turn`,
/// - `%draw=bits,from-to=bits,draw=,...`: other draws of `random_bits` than those of the seed;
///   without bits they are left out,
/// - `+chance=bits,...`: the same for all that is left to chance otherwise.
struct replay {
  std::uint64_t seed = 0;
  std::optional<std::vector<choice>> choices;
  std::optional<std::uint64_t> hash;
  std::vector<std::size_t> without = {}; // faults, in order
  std::vector<redraw> draws = {};
  std::vector<redraw> chances = {};

  /// Throws `test_failure`.
  [[nodiscard]] static replay parse(std::string_view text);

  /// Of TROUPE_SEED, if that is set.
  [[nodiscard]] static std::optional<replay> of_environment();

  [[nodiscard]] std::string text() const;

  /// Throws `test_failure` if there are no such faults.
  [[nodiscard]] simulation_options apply(simulation_options options) const;

  /// Throws `test_failure` if this is not the run that was recorded, or has fewer draws than
  /// were to be changed.
  void check(const simulation_report& r) const;
};

/// The plan without these.
[[nodiscard]] std::vector<fault> leave_out(const std::vector<fault>& plan,
                                           const std::vector<std::size_t>& without);

} // namespace troupe::testing::internal
