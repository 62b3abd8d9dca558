// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/testing/simulation.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace troupe::testing::internal {

/// What one run draws: what a generator says, but for some draws that were changed. Only
/// counts: it is asked in the middle of the program, which may be about to have no memory.
class draws {
public:
  explicit draws(const std::vector<redraw>& changed) noexcept : changed_(changed) {}

  /// `generator()`, unless that was changed. What is left out is drawn, too, and given to nobody.
  template <class Generator>
  [[nodiscard]] std::uint64_t next(Generator&& generator) noexcept {
    for (;;) {
      const std::uint64_t drawn = generator();
      const std::uint64_t at = count_++;
      while (next_ != changed_.size() && changed_[next_].last < at)
        ++next_;
      if (next_ == changed_.size() || at < changed_[next_].first)
        return drawn;
      if (changed_[next_].bits)
        return *changed_[next_].bits;
    }
  }

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }

private:
  const std::vector<redraw>& changed_;
  std::size_t next_ = 0; // the first that is not over
  std::uint64_t count_ = 0;
};

/// What `random_fraction` makes of these bits.
[[nodiscard]] constexpr double fraction_of(std::uint64_t bits) noexcept {
  constexpr unsigned digits = 53; // of a double
  return static_cast<double>(bits >> (64 - digits))
         / static_cast<double>(std::uint64_t{1} << digits);
}

/// As many draws can be changed, from the first on.
constexpr std::uint64_t most_draws = 10'000'000;

/// Throws `usage_error` if these are not in order, or too many.
void check_draws(const std::vector<redraw>& draws);
/// The same; and no chance can be left out.
void check_chances(const std::vector<redraw>& chances);

/// The first `n` draws of `random_bits`, with this seed.
[[nodiscard]] std::vector<std::uint64_t> draws_of(std::uint64_t seed, std::size_t n);

/// What `random_bits` is seeded with.
[[nodiscard]] constexpr std::uint64_t seed_of_draws(std::uint64_t seed) noexcept { return ~seed; }

} // namespace troupe::testing::internal
