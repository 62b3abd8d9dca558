// SPDX-License-Identifier: BSD-3-Clause
#include "trim.hpp"
#include "watchdog.hpp"

#include <troupe/detail/loop.hpp>
#include <troupe/detail/runtime.hpp>
#include <troupe/error.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdio>
#include <ctime>
#include <string>
#include <thread>

namespace troupe::detail {

namespace {

thread_local constinit loop* this_thread_loop = nullptr;

/// How long the ready queue may run before sockets are looked at again.
constexpr duration slice = std::chrono::microseconds(100);

/// About what a sleep and a wake-up cost.
constexpr duration moment = std::chrono::microseconds(8);

/// Lets the other thread of the core run.
void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

/// Stands in the inbox of a loop that is, or will soon be, asleep.
class sleep_marker final : public inbox_node {
  void run() noexcept override {}
};
constinit sleep_marker marker;

inbox_node* asleep() noexcept { return &marker; }

} // namespace

constinit std::atomic<step_hook> after_step{nullptr};

struct loop::io_state {
  boost::asio::io_context context{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
    context.get_executor()};
  boost::asio::steady_timer timer{context};
  time_point armed_for = time_point::max();
};

loop::loop(runtime& owner, unsigned index, time_source* time, bool debug)
  : owner_(&owner), time_(time), key_(owner.key_of(index)), index_(index), debug_(debug),
    io_(std::make_unique<io_state>()), step_(debug ? std::make_unique<step_record>() : nullptr) {}

loop::~loop() = default;

loop* loop::current() noexcept { return this_thread_loop; }

loop* loop::set_current(loop* l) noexcept { return std::exchange(this_thread_loop, l); }

time_point loop::rough_now() const noexcept {
  if (time_)
    return time_->now();
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &t); // the clock of std::chrono::steady_clock
  return time_point(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
}

boost::asio::io_context& loop::io() noexcept { return io_->context; }

void loop::run() noexcept {
  this_thread_loop = this;
  auto& io = io_->context;
  for (;;) {
    io.restart(); // before the pump: an interrupt after it must reach `run`
    const bool more = run_slice();
    if (more)
      poll();
    else if (stopping_.load(std::memory_order_acquire)) {
      if (!inbox_waiting()) // what was posted before the stop is not lost
        break;
    } else if (std::exchange(no_io_timer_, false))
      io.run_one_until(timers_.next());
    else
      io.run();
  }
  if (idle_)
    not_idle(); // nobody wakes it any more
  this_thread_loop = nullptr;
}

/// Takes what has come from the sockets, all of it: a slice after each handler would
/// let one that yields for ever keep the sockets down to one event a slice.
void loop::poll() noexcept {
  in_slice_ = true;
  io_->context.poll();
  in_slice_ = false;
}

void loop::stop() noexcept {
  stopping_.store(true, std::memory_order_release);
  interrupt();
}

void loop::interrupt() noexcept { io_->context.stop(); }

void loop::post(inbox_node& message) noexcept {
  inbox_node* head = inbox_.load(std::memory_order_relaxed);
  do {
    message.next_ = head == asleep() ? nullptr : head;
    // release: what the sender wrote is seen by the loop
  } while (!inbox_.compare_exchange_weak(head, &message, std::memory_order_release,
                                         std::memory_order_relaxed));
  if (head == asleep())
    interrupt();
}

bool loop::inbox_waiting() const noexcept {
  const inbox_node* head = inbox_.load(std::memory_order_acquire);
  return head && head != asleep();
}

bool loop::sleeping() const noexcept { return inbox_.load(std::memory_order_relaxed) == asleep(); }

/// Runs what has arrived, at most a batch: those who send faster than this loop runs
/// must not keep it from all else.
void loop::drain_inbox() noexcept {
  if (!arrived_) [[likely]] {
    if (!inbox_waiting()) [[likely]]
      return;
    take_inbox();
  }
  for (unsigned n = batch; n != 0 && arrived_; --n)
    run_message();
}

/// Nothing that was taken before may be left.
void loop::take_inbox() noexcept {
  inbox_node* newest = inbox_.exchange(nullptr, std::memory_order_acquire);
  heard_ = true;
  while (newest) {
    inbox_node* next = newest->next_;
    newest->next_ = arrived_;
    arrived_ = newest;
    newest = next;
  }
}

void loop::run_message() noexcept {
  inbox_node* next = arrived_;
  arrived_ = next->next_;
  next->run();
}

void loop::fire_timers() noexcept {
  const time_point at = now();
  while (timer* t = timers_.pop_due(at))
    t->expired();
}

void loop::pump() noexcept {
  if (in_slice_)
    return; // the slice that polled will see what is ready
  if (run_slice() || no_io_timer_)
    io_->context.stop(); // back to `run`, which polls and goes on
}

/// Runs what is ready, for a slice of time. Returns true if something is left.
bool loop::run_slice() noexcept {
  in_slice_ = true;
  const bool more = run_ready();
  in_slice_ = false;
  return more;
}

bool loop::run_ready() noexcept {
  if (idle_) [[unlikely]]
    not_idle();
  time_point end = time_point::max();
  for (;;) {
    for (unsigned n = batch; n != 0 && !ready_.empty(); --n) {
      ready_node& next = ready_.pop_front();
      if (next.what == ready_node::kind::task) [[likely]] {
        if (debug_) [[unlikely]]
          run_timed(static_cast<task_block&>(next));
        else
          static_cast<task_block&>(next).run();
      } else {
        static_cast<ready_callback&>(next).run();
        if (std::exchange(look_around_, false))
          break;
      }
    }
    drain_inbox();
    if (!timers_.empty())
      fire_timers();
    if (ready_.empty() && !arrived_ && prepare_to_sleep())
      return false;
    const time_point at = clock::now();
    if (end == time_point::max())
      end = at + slice;
    else if (at >= end)
      return true;
  }
}

/// Names the task that has kept all others of its loop waiting.
void loop::run_timed(task_block& t) noexcept {
  step_->begin(name_or_empty(t)); // it may be gone afterwards
  t.run();
  if (const step_hook hook = after_step.load(std::memory_order_relaxed))
    hook(*this);
  const duration took = step_->end();
  if (took >= slow_step)
    std::fprintf(stderr, "troupe: task '%s' held its loop for %.3f s without a checkpoint\n",
                 step_->task().c_str(), std::chrono::duration<double>(took).count());
}

/// Loops and threads that talk to each other answer within a microsecond: a loop that has
/// just heard from another thread waits for as long as falling asleep and being woken would
/// cost both.
bool loop::wait_a_moment() noexcept {
  static const bool one_core = std::thread::hardware_concurrency() == 1;
  if (time_ || one_core)
    return false;
  const time_point end = clock::now() + moment;
  do {
    for (int n = 0; n < 16; ++n) {
      if (inbox_waiting())
        return true;
      pause();
    }
  } while (clock::now() < end);
  return false;
}

/// Returns false if there is something to do after all.
bool loop::prepare_to_sleep() noexcept {
  if (std::exchange(heard_, false) && wait_a_moment())
    return false;
  inbox_node* expected = nullptr;
  if (!inbox_.compare_exchange_strong(expected, asleep(), std::memory_order_acq_rel,
                                      std::memory_order_acquire)
      && expected != asleep())
    return false;
  if (time_ || owner_->watch()) [[unlikely]] {
    if (stay_awake())
      return false;
    if (time_)
      return true;
  }
  trim_after_burst();
  arm_io_timer(timers_.next());
  return true;
}

/// Tells those who want to know that nothing can run. Returns true if something can.
bool loop::stay_awake() noexcept {
  if (io_->context.poll() != 0 && !ready_.empty())
    return true;
  idle_ = true;
  if (idle_watch* watch = owner_->watch()) {
    watch->idle(*this);
    if (!ready_.empty()) {
      not_idle();
      return true;
    }
  }
  if (!time_ || !time_->idle(*this, timers_.next()))
    return false;
  not_idle();
  return true;
}

void loop::not_idle() noexcept {
  idle_ = false;
  if (time_)
    time_->busy(*this);
  if (idle_watch* watch = owner_->watch())
    watch->busy(*this);
}

/// One Asio timer stands for all of ours. It is only moved when the next
/// deadline is earlier than what it is set to, or has become much later. When
/// there is no memory for it, `run` waits for the deadline itself.
void loop::arm_io_timer(time_point when) noexcept {
  auto& io = *io_;
  if (when >= io.armed_for || when == time_point::max())
    return;
  try {
    io.armed_for = time_point::max();
    io.timer.expires_at(when);
    io.timer.async_wait([this](const boost::system::error_code& error) {
      if (error)
        return; // moved to an earlier time
      io_->armed_for = time_point::max();
      pump();
    });
    io.armed_for = when;
  } catch (...) {
    no_io_timer_ = true;
  }
}

task_block* current_task_block() noexcept {
  return this_thread_loop ? this_thread_loop->current_task() : nullptr;
}

task_block& require_current_task(const char* what) {
  if (task_block* t = current_task_block())
    return *t;
  throw usage_error(std::string("troupe: ") + what + " was called outside of a task");
}

} // namespace troupe::detail
