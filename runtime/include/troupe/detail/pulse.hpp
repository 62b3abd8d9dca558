// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/waiter.hpp>

namespace troupe::detail {

/// Something that happens again and again: it wakes the tasks that wait for it at that time.
/// On one loop.
class pulse {
public:
  pulse() = default;
  pulse(const pulse&) = delete;
  pulse& operator=(const pulse&) = delete;

  /// Waits for the next time. A checkpoint.
  [[nodiscard]] auto wait() noexcept { return wait_op(*this); }

  /// Wakes all that wait, in the order they came. Not a checkpoint.
  void wake_all() noexcept {
    while (auto* w = waiters_.first())
      w->wake();
  }

private:
  class wait_op final : public waiting_op<wait_op> {
  public:
    explicit wait_op(pulse& p) noexcept : waiting_op("an event"), pulse_(p) {}
    void await_resume() const noexcept {}
    home_loop& home() noexcept { return pulse_.home_; }
    waiter_list& queue() noexcept { return pulse_.waiters_; }
    [[nodiscard]] bool try_now() const noexcept { return false; }

  private:
    pulse& pulse_;
  };

  waiter_list waiters_;
  home_loop home_;
};

} // namespace troupe::detail
