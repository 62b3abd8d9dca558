// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/semaphore.hpp>

#include <cstddef>
#include <vector>

namespace troupe {

namespace pools {
class limited;
} // namespace pools

/// A bound on the connections of several pools together, beside each one's own: give its address
/// to `connection_pool_options::shared`. Pools that need one more while there are `max` close the
/// one that has been idle for longest, in whichever pool, and wait in the order of asking if all
/// are lent.
///
/// Must outlive its pools; for the loop of the pools.
class connection_limit {
public:
  /// Throws `std::invalid_argument` if `max` is 0.
  explicit connection_limit(std::size_t max);
  connection_limit(const connection_limit&) = delete;
  connection_limit& operator=(const connection_limit&) = delete;

  [[nodiscard]] std::size_t max() const noexcept { return max_; }

  /// How many there are in all pools: lent, idle or being opened. Not a checkpoint.
  [[nodiscard]] std::size_t size() const noexcept;

private:
  friend class pools::limited;

  std::size_t max_;
  semaphore permits_; // each is the right to one that is not idle
  std::vector<pools::limited*> pools_;
};

} // namespace troupe
