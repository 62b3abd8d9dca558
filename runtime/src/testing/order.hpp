// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/testing/simulation.hpp>

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <unordered_map>
#include <vector>

namespace troupe::testing::internal {

/// Takes the decisions of a simulation and keeps them: first those that were given, then
/// what the schedule says.
class order {
public:
  order(std::uint64_t seed, const simulation_options& options);

  /// Which of these comes next. A key names who would run: the same one, as long as it
  /// does.
  [[nodiscard]] std::size_t choose(std::span<const std::uint64_t> keys);

  [[nodiscard]] const std::vector<choice>& taken() const noexcept { return taken_; }

private:
  [[nodiscard]] std::size_t ask_schedule(std::span<const std::uint64_t> keys);
  [[nodiscard]] std::size_t highest(std::span<const std::uint64_t> keys) const;
  [[nodiscard]] std::uint64_t priority(std::uint64_t key) const;

  schedule schedule_;
  const std::vector<choice>& given_;
  std::uint64_t seed_;
  std::mt19937_64 random_;
  std::vector<choice> taken_;
  std::vector<std::uint64_t> changes_; // at which decisions, the last one first
  std::unordered_map<std::uint64_t, std::uint64_t> lowered_;
};

} // namespace troupe::testing::internal
