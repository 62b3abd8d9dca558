// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/detail/loop.hpp>
#include <troupe/detail/timer.hpp>

#include <cstdint>

namespace troupe::detail {

class blocked_watch;

/// Waits until nothing else can run. Its `blocked_watch`, with that one's lock held, and
/// its home loop see it.
struct blocked_tag;
class [[nodiscard]] blocked_wait final : public suspension,
                                         public list_node<blocked_tag>,
                                         private timer {
public:
  using troupe_awaitable = void;

  explicit blocked_wait(duration cushion) noexcept : cushion_(cushion) {}
  ~blocked_wait() { leave(); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }

  template <troupe_promise Promise>
  void await_suspend(std::coroutine_handle<Promise> h) {
    task_block& t = *h.promise().task;
    if (t.cancelled_at(h))
      return;
    enlist(t);
    t.wait(h, *this);
  }

  void await_resume() const noexcept {}

  bool withdraw() noexcept override {
    leave();
    return true;
  }
  [[nodiscard]] const char* waits_for() const noexcept override { return "all others are blocked"; }

private:
  friend class blocked_watch;

  void enlist(task_block& t);
  void leave() noexcept;
  void expired() noexcept override;

  duration cushion_;
  std::uint64_t activity_ = 0; // when its timer was set
  task_block* task_ = nullptr;
  blocked_watch* watch_ = nullptr; // while it is enlisted
};

} // namespace troupe::detail

namespace troupe::testing {

/// Waits until no other task can run: every task of the runtime, on all its loops, waits
/// for something, and nothing that has come from a socket or another loop is left to be
/// seen. So a test lets "all that can happen now" happen, and then looks.
///
///     n.start_soon(consumer, std::ref(rx));
///     co_await testing::wait_all_tasks_blocked(); // it is in receive() now
///
/// With a `cushion` it has to stay so for that long, by the clock of the runtime: for what
/// is on its way where nobody sees it (in a network, in another process).
///
/// A task that sleeps is blocked, and so is one that waits for a thread, a file or a
/// process. Tasks in this function are blocked, too: of several, those without a cushion
/// go on first, then those with the shortest. Virtual time does not jump as long as one
/// without a cushion can go on.
///
/// A checkpoint. Throws `std::bad_alloc`. On any loop. After Trio's function of that name.
[[nodiscard]] inline auto wait_all_tasks_blocked(duration cushion = duration::zero()) noexcept {
  return detail::blocked_wait(cushion);
}

} // namespace troupe::testing
