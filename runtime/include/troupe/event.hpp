// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/waiter.hpp>

namespace troupe {

/// Something that happens once: tasks wait for it, and all go on when it is set.
/// It cannot be unset; make another one instead. For the tasks of one loop.
///
/// After Trio's `Event`.
class event {
public:
  event() = default;
  event(const event&) = delete;
  event& operator=(const event&) = delete;

  [[nodiscard]] bool is_set() const noexcept { return set_; }

  /// Wakes all that wait, in the order they came. Idempotent. Not a checkpoint.
  /// Throws `usage_error` on another loop.
  void set() {
    home_.check("an event");
    set_ = true;
    while (auto* w = waiters_.first())
      w->wake();
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
    [[nodiscard]] bool try_now() const noexcept { return event_.set_; }

  private:
    event& event_;
  };

  detail::waiter_list waiters_;
  detail::home_loop home_;
  bool set_ = false;
};

} // namespace troupe
