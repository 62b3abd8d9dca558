// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <cstddef>

/// Failures on demand, for programs that link fault_injection.cpp: it replaces
/// `operator new` and the system calls of sockets for the whole program.
namespace troupe_test::faults {

/// Counts and fails events of one kind, on all threads.
class injector {
public:
  /// Counts from now on, and fails event number `k` (from 1; 0: none), or it and
  /// all that come after it.
  void arm(std::size_t k, bool and_all_after = false) noexcept;
  void disarm() noexcept;

  /// The events since `arm`.
  [[nodiscard]] std::size_t seen() const noexcept;

  /// For fault_injection.cpp: an event happens; returns whether it has to fail.
  [[nodiscard]] bool next() noexcept;

private:
  std::atomic<std::size_t> seen_{0};
  std::atomic<std::size_t> fail_at_{0};
  std::atomic<bool> armed_{false};
  std::atomic<bool> all_after_{false};
};

/// `operator new`: fails with `std::bad_alloc`.
extern injector allocations;

/// accept4, connect, recv and send: fail with `io_error`.
extern injector io;
void io_error(int error) noexcept;

/// Blocks that `operator new` has given out and that were not given back.
[[nodiscard]] long live_blocks() noexcept;

/// Arms when it begins, disarms when it ends.
class armed {
public:
  armed(injector& what, std::size_t k, bool and_all_after = false) noexcept : what_(what) {
    what_.arm(k, and_all_after);
  }
  armed(const armed&) = delete;
  armed& operator=(const armed&) = delete;
  ~armed() { what_.disarm(); }

private:
  injector& what_;
};

} // namespace troupe_test::faults
