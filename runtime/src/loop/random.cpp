// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/detail/simulation.hpp>
#include <troupe/random.hpp>

#include <random>

namespace troupe {

std::uint64_t random_bits() {
  if (detail::simulation* s = detail::simulation::current())
    return s->random_bits();
  thread_local std::mt19937_64 generator{[] {
    std::random_device device;
    return std::uint64_t(device()) << 32 | device();
  }()};
  return generator();
}

double random_fraction() {
  constexpr int digits = 53; // of a double
  return static_cast<double>(random_bits() >> (64 - digits))
         / static_cast<double>(std::uint64_t(1) << digits);
}

} // namespace troupe
