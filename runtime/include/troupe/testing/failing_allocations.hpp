// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <cstddef>

namespace troupe::testing {

/// Counts the events of one kind on all threads, and says which of them is to fail. Of a test
/// program's own: a replaced system call, say.
class failing_events {
public:
  /// Counts from now on, and fails event number `k` (from 1; 0: none), or it and all that
  /// come after it.
  void arm(std::size_t k, bool and_all_after = false) noexcept;
  void disarm() noexcept;

  /// The events since `arm`.
  [[nodiscard]] std::size_t seen() const noexcept { return seen_; }

  /// An event happens. Returns whether it has to fail.
  [[nodiscard]] bool next() noexcept;

private:
  std::atomic<std::size_t> seen_{0};
  std::atomic<std::size_t> fail_at_{0};
  std::atomic<bool> armed_{false};
  std::atomic<bool> all_after_{false};
};

/// Arms when it begins, disarms when it ends.
class armed {
public:
  armed(failing_events& what, std::size_t k, bool and_all_after = false) noexcept : what_(what) {
    what_.arm(k, and_all_after);
  }
  armed(const armed&) = delete;
  armed& operator=(const armed&) = delete;
  ~armed() { what_.disarm(); }

private:
  failing_events& what_;
};

/// The calls of `operator new` in a program that replaces it: see replace_new.hpp.
class failing_allocations : public failing_events {
public:
  /// Throws `std::bad_alloc` if it is to fail, or does. `alignment` 0: the usual one.
  [[nodiscard]] void* take(std::size_t bytes, std::size_t alignment);
  void give_back(void* p) noexcept;

  /// Blocks that were given out and not given back. What the calling thread has cached for its
  /// tasks, of its own and what others took and it freed, is given back before.
  [[nodiscard]] long live() const noexcept;

private:
  std::atomic<long> live_{0};
};

extern failing_allocations allocations;

} // namespace troupe::testing
