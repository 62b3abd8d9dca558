// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/detail/loop.hpp>
#include <troupe/detail/timer.hpp>

namespace troupe {

namespace detail {

/// Sleeps until a deadline.
class [[nodiscard]] sleep_awaiter final : public suspension, private timer {
public:
  using troupe_awaitable = void;

  /// `relative`: `when` counts from the await, not from the epoch.
  sleep_awaiter(time_point when, bool relative) noexcept : relative_(relative), when_(when) {}
  ~sleep_awaiter() { disarm(); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }

  template <troupe_promise Promise>
  void await_suspend(std::coroutine_handle<Promise> h) {
    task_block& t = *h.promise().task;
    if (t.cancelled_at(h))
      return;
    if (!arm(t))
      return t.yield(h); // due already: a checkpoint all the same
    t.wait(h, *this);
  }

  void await_resume() const noexcept {}

  bool withdraw() noexcept override {
    disarm();
    return true;
  }
  [[nodiscard]] const char* waits_for() const noexcept override { return "sleep"; }
  [[nodiscard]] time_point wakes_at() const noexcept override { return when_; }

private:
  bool arm(task_block& t);
  void disarm() noexcept {
    if (armed())
      task_->home().timers().remove(*this);
  }
  void expired() noexcept override { task_->wake(); }

  bool relative_; // in the padding of the timer
  task_block* task_ = nullptr;
  time_point when_;
};

/// Gives way to the other tasks of the loop.
struct [[nodiscard]] checkpoint_awaiter {
  using troupe_awaitable = void;

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <troupe_promise Promise>
  void await_suspend(std::coroutine_handle<Promise> h) const {
    h.promise().task->yield(h);
  }
  void await_resume() const noexcept {}
};

} // namespace detail

/// A checkpoint and nothing else: lets the other tasks of the loop run, and is
/// where cancellation reaches a task that computes for long.
[[nodiscard]] inline auto checkpoint() noexcept { return detail::checkpoint_awaiter{}; }

/// Sleeps for `d`, or until `when`; never shorter. A checkpoint, also when the
/// time has passed already. Throws `std::bad_alloc`.
[[nodiscard]] inline auto sleep_for(duration d) noexcept {
  return detail::sleep_awaiter(time_point(d), true);
}
[[nodiscard]] inline auto sleep_until(time_point when) noexcept {
  return detail::sleep_awaiter(when, false);
}

/// Sleeps until cancelled. A checkpoint.
[[nodiscard]] inline auto sleep_forever() noexcept {
  return detail::sleep_awaiter(time_point::max(), false);
}

/// The time on the clock of the runtime; outside of a task, the machine's.
[[nodiscard]] time_point current_time() noexcept;

/// The time of the calendar, for what people and other machines are told. Where the clock of the
/// runtime is not the machine's, in tests and simulations, it goes with that clock, from the
/// beginning of the year 2000. Not a checkpoint, for any thread.
[[nodiscard]] std::chrono::system_clock::time_point current_wall_time() noexcept;

} // namespace troupe
