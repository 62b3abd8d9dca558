// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>

namespace troupe::detail {

/// A number that one loop writes and all may look at. Costs what a plain one does.
template <class T>
class seen_elsewhere {
public:
  constexpr seen_elsewhere(T value) noexcept : value_(value) {}
  seen_elsewhere(const seen_elsewhere&) = delete;

  operator T() const noexcept { return value_.load(std::memory_order_relaxed); }

  // by the one loop
  seen_elsewhere& operator=(const seen_elsewhere&) = delete;
  seen_elsewhere& operator=(T value) noexcept {
    value_.store(value, std::memory_order_relaxed);
    return *this;
  }
  seen_elsewhere& operator++() noexcept { return *this = *this + 1; }
  seen_elsewhere& operator--() noexcept { return *this = *this - 1; }

private:
  std::atomic<T> value_;
};

} // namespace troupe::detail
