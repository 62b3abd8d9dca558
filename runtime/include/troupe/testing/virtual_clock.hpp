// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/run.hpp>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

namespace troupe::testing {

/// Time that passes only when the test says so, for a whole runtime: sleeps, deadlines,
/// `current_time`, and the delayed sends and request timeouts of ordinary CAF actors.
///
/// With autojump (as it starts) the clock stands still while anything can run on any
/// loop, or a thread works for a task, and then jumps to the next timer of all: a day of
/// timers takes as long as the work they start. Without, it moves by `advance` alone, and
/// a program in which all wait for the time waits for ever.
///
/// It starts at the epoch of `troupe::clock`. What comes from outside of the runtime (a
/// socket, another process) does not count as long as it is under way: the clock may jump
/// past a deadline before it arrives.
///
/// Give its address to `run_options::time`; it has to outlive the run, and serves one
/// runtime at a time. All members may be called from any thread.
class virtual_clock final : public detail::time_source {
public:
  /// `autojump`: see `set_autojump`.
  explicit virtual_clock(bool autojump = true);
  virtual_clock(const virtual_clock&) = delete;
  virtual_clock& operator=(const virtual_clock&) = delete;

  [[nodiscard]] time_point now() const noexcept override {
    return time_point(duration(now_.load(std::memory_order_acquire)));
  }

  /// Moves the time on by `by`. What is due then fires in the order of its deadlines, but
  /// all of it sees the new time; not before the caller, if it is a task, lets go of its
  /// loop. Throws `usage_error` if `by` is negative.
  void advance(duration by);

  /// Whether the clock jumps to the next timer when nothing can run. Switched on while all
  /// wait, it jumps at once.
  void set_autojump(bool on) noexcept;

private:
  struct loop_state {
    detail::loop* known = nullptr;
    bool idle = false;
    bool held = false; // idle, but threads work for its tasks
    time_point next{}; // if idle
  };

  bool idle(detail::loop& self, time_point next) noexcept override;
  void busy(detail::loop& self) noexcept override;
  loop_state& state_of(detail::loop& self) noexcept;
  bool jump(const detail::loop* self) noexcept;
  bool wake_due(const detail::loop* self) noexcept;

  std::mutex mutex_;
  std::vector<loop_state> loops_; // of the runtime it serves
  std::uint64_t runtime_key_ = 0; // names it
  bool autojump_;
  std::atomic<duration::rep> now_{0};
};

/// `run` on virtual time with autojump: runs `fn`, a coroutine, as the root task of a
/// runtime with so many loops, and gives its result or throws its failure.
template <class F>
auto run_virtually(F fn, unsigned loops = 1) {
  virtual_clock time;
  run_options options;
  options.loops = loops;
  options.time = &time;
  return run(std::move(options), std::move(fn));
}

} // namespace troupe::testing
