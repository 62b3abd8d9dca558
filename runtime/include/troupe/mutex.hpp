// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/seen_elsewhere.hpp>
#include <troupe/semaphore.hpp>

namespace troupe {

/// Mutual exclusion across awaits. First come, first served: the lock is handed to
/// the one who has waited longest. Not recursive. For tasks of any loop, which
/// need it only where they await while they hold it.
///
/// After Trio's `Lock`.
class mutex {
public:
  mutex() = default;
  mutex(const mutex&) = delete;
  mutex& operator=(const mutex&) = delete;

  using guard = held<mutex>;

  /// A moment ago, if it is asked on another loop.
  [[nodiscard]] bool locked() const noexcept { return locked_; }

  /// Waits for the lock: `auto guard = co_await m.lock();`. A checkpoint.
  [[nodiscard]] auto lock() noexcept { return lock_op(*this); }

  /// The lock if it is free now, else an empty guard. Not a checkpoint. Throws
  /// `usage_error` on another loop.
  [[nodiscard]] guard try_lock() {
    home_.check("a mutex");
    return take(detail::current_task_block()) ? guard(*this) : guard();
  }

private:
  friend guard;

  void give_back() noexcept {
    home_.at_home("a mutex", [this] {
      if (auto* w = waiters_.first()) {
        holder_.set(w->task());
        w->wake(); // handed over: it stays locked
      } else {
        locked_ = false;
      }
    });
  }
  bool take(const detail::task_block* by) noexcept {
    if (locked_)
      return false;
    locked_ = true;
    holder_.set(by);
    return true;
  }

  class lock_op final : public detail::waiting_op<lock_op> {
  public:
    explicit lock_op(mutex& m) noexcept : waiting_op("a mutex"), mutex_(m) {}
    guard await_resume() const noexcept { return guard(mutex_); }
    detail::home_loop& home() noexcept { return mutex_.home_; }
    detail::waiter_list& queue() noexcept { return mutex_.waiters_; }
    [[nodiscard]] bool try_now() const noexcept { return mutex_.take(task()); }
    [[nodiscard]] const detail::task_block* waits_for_task() const noexcept override {
      return mutex_.holder_.get();
    }

  private:
    mutex& mutex_;
  };

  detail::waiter_list waiters_;
  detail::home_loop home_;
  detail::seen_elsewhere<bool> locked_ = false;
  detail::holder holder_; // the last one to lock it
};

} // namespace troupe
