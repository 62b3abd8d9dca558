// SPDX-License-Identifier: BSD-3-Clause
#include "draws.hpp"

#include <troupe/error.hpp>

#include <algorithm>
#include <optional>
#include <random>
#include <string>

namespace troupe::testing::internal {

void check_draws(const std::vector<redraw>& draws) {
  std::optional<std::uint64_t> before;
  for (const redraw& d : draws) {
    if (d.last < d.first || (before && d.first <= *before) || d.last >= most_draws)
      throw usage_error("troupe: simulation_options: the draws from " + std::to_string(d.first)
                        + " to " + std::to_string(d.last)
                        + " are not in order, or beyond the first " + std::to_string(most_draws));
    before = d.last;
  }
}

void check_chances(const std::vector<redraw>& chances) {
  check_draws(chances);
  if (std::any_of(chances.begin(), chances.end(), [](const redraw& d) { return !d.bits; }))
    throw usage_error("troupe: simulation_options: a chance cannot be left out");
}

std::vector<std::uint64_t> draws_of(std::uint64_t seed, std::size_t n) {
  std::mt19937_64 random(seed_of_draws(seed));
  std::vector<std::uint64_t> all(n);
  std::generate(all.begin(), all.end(), [&] { return random(); });
  return all;
}

} // namespace troupe::testing::internal
