// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/cancel_scope.hpp>
#include <troupe/mutex.hpp>

#include <cstddef>

namespace troupe {

/// Waiting for something to become true of what a mutex protects. For tasks of
/// any loop. After Trio's `Condition`.
class condition {
public:
  condition() = default;
  condition(const condition&) = delete;
  condition& operator=(const condition&) = delete;

  /// Gives the lock up, waits to be notified, and takes it again. If the wait is
  /// cancelled, `lock` stays empty; taking it again after a notification is
  /// shielded, so that no notification is lost. A checkpoint. Throws `usage_error`
  /// if `lock` is empty.
  [[nodiscard]] task<> wait(mutex::guard& lock);

  /// Wakes the `n` that have waited longest, or all. Not a checkpoint.
  void notify(std::size_t n = 1);
  void notify_all();

private:
  class park_op final : public detail::waiting_op<park_op> {
  public:
    explicit park_op(condition& c) noexcept : waiting_op("a condition"), condition_(c) {}
    void await_resume() const noexcept {}
    detail::home_loop& home() noexcept { return condition_.home_; }
    detail::waiter_list& queue() noexcept { return condition_.waiters_; }
    [[nodiscard]] bool try_now() const noexcept {
      lock_->release(); // not before: a cancelled wait does not give up the lock
      return false;
    }
    mutex::guard* lock_ = nullptr;

  private:
    condition& condition_;
  };

  detail::waiter_list waiters_;
  detail::home_loop home_;
};

} // namespace troupe
