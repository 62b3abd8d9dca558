// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/detail/loop.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>

namespace troupe::detail {

class runtime;
class thread_job;

/// Runs the loops of one runtime in place of their threads: a step of one loop after the
/// other, on the thread that has made the runtime. The runtime asks it for what it would
/// else get from the machine: the time, random bits, threads.
///
/// A runtime that has one starts no thread, opens no socket and never looks at Asio: what
/// moves it on is in its ready queues, inboxes and timer heaps alone (`loop_steps`), and
/// in the jobs that were handed over. One that has none pays nothing: there is nothing in
/// the loop that asks.
///
/// What stands in for the machine in simulated runs (a network, a disk) is made of tasks,
/// `sleep_for` and `random_bits`, and so gets its time and its seed from here.
class simulation : public time_source {
public:
  simulation(const simulation&) = delete;
  simulation& operator=(const simulation&) = delete;

  /// That of this thread; null, if it is none that simulates. Also between two steps, and
  /// in a job for a thread, where no loop is current.
  [[nodiscard]] static simulation* current() noexcept;

  /// Takes steps until the root has ended. Throws, if that is not to be had; the root and
  /// its runtime must be left as they are, for good, then.
  virtual void run_root(runtime& rt, task_block& root) = 0;

  /// Takes steps until `over()`. Returns false if there are none left before.
  virtual bool run_until(runtime& rt, const std::function<bool()>& over) noexcept = 0;

  /// Takes what steps there are without letting time pass.
  virtual void settle(runtime& rt) noexcept = 0;

  /// When the root has ended, so many ordinary actors will not.
  virtual void left_behind(std::size_t actors) noexcept = 0;

  [[nodiscard]] virtual std::uint64_t random_bits() noexcept = 0;

  /// A job for a thread, which becomes a step. It may be unlinked before.
  virtual void submit(thread_job& job) noexcept = 0;

  // a loop without a thread never sleeps
  bool idle(loop&, time_point) noexcept final { return false; }
  void busy(loop&) noexcept final {}

protected:
  simulation() noexcept;
  ~simulation();

private:
  simulation* const outer_;
};

/// While it lives, the calling thread is that of a loop which has none.
class on_loop {
public:
  explicit on_loop(loop& l) noexcept : before_(loop::set_current(&l)) {}
  on_loop(const on_loop&) = delete;
  on_loop& operator=(const on_loop&) = delete;
  ~on_loop() { loop::set_current(before_); }

private:
  loop* before_;
};

/// The steps of a loop that has no thread; to be taken `on_loop`. Each is what the thread
/// would do between two looks at what else there is, in as small a piece as other loops
/// could tell.
class loop_steps {
public:
  using ready_list = list<ready_node, ready_tag>;

  [[nodiscard]] static ready_list& ready(loop& l) noexcept { return l.ready_; }
  [[nodiscard]] static bool message_waits(const loop& l) noexcept {
    return l.arrived_ || l.inbox_waiting();
  }

  /// Runs `n`, which is ready.
  static void run(ready_node& n) noexcept;
  /// Runs the oldest message.
  static void run_message(loop& l) noexcept;
  /// Fires the earliest timer, and those of the same time.
  static void fire_timers(loop& l) noexcept;
};

/// Throws `usage_error` that names `what` if this thread simulates.
void refuse_under_simulation(const char* what);

} // namespace troupe::detail
