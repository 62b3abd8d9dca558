// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/simulation.hpp>

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::detail {

/// Makes something whose name ends in six X, which become what nothing is called yet: calls
/// `make(name, false)`, which is to be `mkostemp` or `mkdtemp`. Under simulation the name
/// follows from the seed, and `make(name, true)` is called first: so that the files of a
/// directory are in the same order each time. What is taken, maybe as the seed's draws were made
/// 0, is followed by the next name. Gives what `make` gives.
template <class F>
int make_up_name(std::string& name, F make) {
  simulation* const s = simulation::current();
  if (!s)
    return make(name.data(), false);
  constexpr std::string_view letters =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const std::string unnamed = name;
  constexpr std::uint64_t tries = 1000;
  const std::uint64_t drawn = s->random_bits();
  for (std::uint64_t next = 0; next < tries; ++next) {
    std::uint64_t bits = drawn + next;
    for (std::size_t i = name.size() - 6; i < name.size(); ++i, bits /= letters.size())
      name[i] = letters[bits % letters.size()];
    const int made = make(name.data(), true);
    if (made >= 0 || errno != EEXIST)
      return made;
  }
  name = unnamed;
  return make(name.data(), false);
}

} // namespace troupe::detail
