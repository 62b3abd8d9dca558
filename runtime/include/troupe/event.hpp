// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/waiter.hpp>

#include <atomic>

namespace troupe {

/// Something that happens once: tasks wait for it, and all go on when it is set.
/// It cannot be unset; make another one instead. For tasks of any loop.
///
/// After Trio's `Event`.
class event {
public:
  event() = default;
  event(const event&) = delete;
  event& operator=(const event&) = delete;

  [[nodiscard]] bool is_set() const noexcept { return set_.load(std::memory_order_acquire); }

  /// Wakes all that wait, in the order they came. Idempotent. Not a checkpoint.
  /// From another loop it takes effect soon after.
  void set() {
    home_.at_home("an event", [this] {
      set_.store(true, std::memory_order_release);
      while (auto* w = waiters_.first())
        w->wake();
    });
  }

  /// Waits until it is set. A checkpoint, also if it is set already.
  [[nodiscard]] auto wait() noexcept { return wait_op(*this); }

private:
  class wait_op final : public detail::waiting_op<wait_op> {
  public:
    explicit wait_op(event& e) noexcept : waiting_op("an event"), event_(e) {}
    void await_resume() const noexcept {}
    detail::home_loop& home() noexcept { return event_.home_; }
    detail::waiter_list& queue() noexcept { return event_.waiters_; }
    [[nodiscard]] bool try_now() const noexcept { return event_.is_set(); }

  private:
    event& event_;
  };

  detail::waiter_list waiters_;
  detail::home_loop home_;
  std::atomic<bool> set_{false};
};

} // namespace troupe
