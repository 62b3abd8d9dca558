// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/detail/list.hpp>
#include <troupe/detail/task_block.hpp>
#include <troupe/detail/timer.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace boost::asio {
class io_context;
} // namespace boost::asio

namespace troupe::detail {

class runtime;
class step_record;

/// A message to a loop, from any thread. Runs on the loop, once, in the order
/// of arrival; may destroy itself.
class inbox_node {
public:
  virtual void run() noexcept = 0;

protected:
  ~inbox_node() = default;

private:
  friend class loop;
  inbox_node* next_ = nullptr;
};

/// Called on each loop in debug mode, and under simulation, after each step of a task, if
/// set. For tests: a place to change things between any two steps.
using step_hook = void (*)(loop&) noexcept;
extern std::atomic<step_hook> after_step;

/// One thread with its ready queue, its timers and its sockets. All but `post`
/// and what is atomic belongs to that thread alone.
///
/// The thread runs Asio's `io_context`; each of our completion handlers ends in
/// `pump`, which runs the ready queue. So a request that comes in from a socket
/// is answered within the handler, as in plain Asio, and one call of
/// `epoll_wait` serves a round.
class loop {
public:
  loop(runtime& owner, unsigned index, time_source* time, bool debug);
  ~loop();
  loop(const loop&) = delete;
  loop& operator=(const loop&) = delete;

  /// The loop that runs on this thread, or null.
  [[nodiscard]] static loop* current() noexcept;

  [[nodiscard]] unsigned index() const noexcept { return index_; }
  [[nodiscard]] runtime& owner() const noexcept { return *owner_; }
  /// Names this loop for ever, other than its address.
  [[nodiscard]] std::uint64_t key() const noexcept { return key_; }
  [[nodiscard]] time_point now() const noexcept { return time_ ? time_->now() : clock::now(); }
  [[nodiscard]] bool on_virtual_time() const noexcept { return time_ != nullptr; }
  /// To a few milliseconds, and much cheaper: for what is only looked at.
  [[nodiscard]] time_point rough_now() const noexcept;
  [[nodiscard]] boost::asio::io_context& io() noexcept;

  /// Runs until `stop`; called by the loop's thread.
  void run() noexcept;

  /// Makes `run` return when nothing is ready any more. Any thread.
  void stop() noexcept;

  /// Hands over `message`. Any thread; takes no lock and allocates nothing.
  void post(inbox_node& message) noexcept;

  /// Every completion handler that has made something ready ends with this.
  void pump() noexcept;

  /// Puts `n` behind what is ready.
  void push(ready_node& n) noexcept { ready_.push_back(n); }

  [[nodiscard]] bool anything_ready() const noexcept { return !ready_.empty(); }

  timer_heap& timers() noexcept { return timers_; }

  [[nodiscard]] const list<task_block, sibling_tag>& roots() const noexcept { return roots_; }

  [[nodiscard]] task_block* current_task() const noexcept { return current_task_; }

  /// Tasks that live on this loop, for load balancing; readable anywhere.
  [[nodiscard]] std::size_t load() const noexcept { return load_.load(std::memory_order_relaxed); }

  /// Wakes the loop's thread if it sleeps. Any thread.
  void interrupt() noexcept;

  /// Whether the loop has nothing to do. Any thread; true a moment ago.
  [[nodiscard]] bool sleeping() const noexcept;

  /// `delta` more threads work for tasks of this loop: virtual time waits for them.
  void outside(int delta) noexcept { outside_ += delta; }
  [[nodiscard]] bool anything_outside() const noexcept { return outside_ != 0; }

  /// What runs next has taken its time: the loop looks at clock and inbox before
  /// it goes on.
  void look_around() noexcept { look_around_ = true; }

  /// Whether messages have arrived that the loop has not seen yet. Any thread.
  [[nodiscard]] bool inbox_waiting() const noexcept;

  /// What it runs, for the watchdog; in debug mode only.
  [[nodiscard]] step_record& step() noexcept { return *step_; }

private:
  friend class task_block;
  friend class runtime;
  friend class loop_steps;
  friend class on_loop;
  friend std::coroutine_handle<> transfer(task_block&, std::coroutine_handle<>) noexcept;

  struct io_state;

  /// How many steps a task may complete without suspending before it has to
  /// give way, and how many nodes run between two looks at clock and inbox.
  static constexpr unsigned budget = 128;
  static constexpr unsigned batch = 64;

  static loop* set_current(loop* l) noexcept; // gives the one before
  bool run_slice() noexcept;
  void poll() noexcept;
  bool run_ready() noexcept;
  void run_timed(task_block& t) noexcept;
  void drain_inbox() noexcept;
  void take_inbox() noexcept;
  void run_message() noexcept;
  void fire_timers() noexcept;
  bool prepare_to_sleep() noexcept;
  bool stay_awake() noexcept;
  void not_idle() noexcept;
  bool wait_a_moment() noexcept;
  void arm_io_timer(time_point when) noexcept;
  void load(std::size_t delta) noexcept {
    load_.store(load_.load(std::memory_order_relaxed) + delta, std::memory_order_relaxed);
  }

  runtime* owner_;
  time_source* time_;
  list<ready_node, ready_tag> ready_;
  list<task_block, sibling_tag> roots_; // tasks that no nursery of this loop owns
  task_block* current_task_ = nullptr;
  task_block* finished_ = nullptr;    // its root frame has just run to its end
  std::coroutine_handle<> next_step_; // see `transfer`
  unsigned budget_ = budget;
  std::uint64_t key_;
  unsigned index_;
  int outside_ = 0;          // threads that work for tasks of this loop
  bool idle_ = false;        // reported to time_ and the idle watch
  bool no_io_timer_ = false; // there was no memory for it
  bool in_slice_ = false;
  bool look_around_ = false;
  bool heard_ = false; // from another thread, since it last slept
  const bool debug_;   // report slow steps
  timer_heap timers_;
  std::unique_ptr<io_state> io_;
  std::unique_ptr<step_record> step_; // in debug mode
  std::atomic<std::size_t> load_{0};
  std::atomic<bool> stopping_{false};

  inbox_node* arrived_ = nullptr; // taken from the inbox, oldest first, not run yet

  // Null: the loop is awake and has seen all. `asleep()`: the next message has
  // to wake it. Else the last message of a singly linked list.
  alignas(64) std::atomic<inbox_node*> inbox_{nullptr};
};

// -- inline ---------------------------------------------------------------------

inline std::coroutine_handle<> transfer(task_block& t, std::coroutine_handle<> h) noexcept {
  t.home().next_step_ = h;
  return std::noop_coroutine();
}

inline void task_block::wake() noexcept {
  waiting_for_ = nullptr;
  state_ = task_state::ready;
  loop_->push(*this);
}

inline void task_block::schedule_unwind() noexcept {
  waiting_for_ = nullptr;
  state_ = task_state::ready_unwind;
  if (!list_node<ready_tag>::linked())
    loop_->push(*this);
}

inline void task_block::aborted() noexcept { schedule_unwind(); }

inline void task_block::schedule_resume(std::coroutine_handle<> h) noexcept {
  resume_ = h;
  wake();
}

template <class Promise>
bool task_block::must_yield(std::coroutine_handle<Promise> h) noexcept {
  if (--loop_->budget_ != 0) [[likely]]
    return false;
  schedule_resume(h);
  return true;
}

template <class Promise>
void task_block::yield(std::coroutine_handle<Promise> h) {
  if (attention_ != 0) [[unlikely]]
    tell_watch();
  resume_ = h;
  state_ = cancelled() ? task_state::ready_unwind : task_state::ready_yield;
  loop_->push(*this);
}

inline void task_block::run() noexcept {
  if (attention_ != 0 && !watch_lets_run()) [[unlikely]]
    return;
  loop& l = *loop_;
  l.current_task_ = this;
  l.budget_ = loop::budget;
  if (state_ == task_state::ready_unwind) [[unlikely]] {
    unwind();
  } else {
    state_ = task_state::running;
    resume_.resume();
  }
  while (l.next_step_)
    [[unlikely]] std::exchange(l.next_step_, {}).resume();
  if (task_block* done = std::exchange(l.finished_, nullptr))
    done->finish();
  l.current_task_ = nullptr;
}

} // namespace troupe::detail
