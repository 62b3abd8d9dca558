// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/loop.hpp>
#include <troupe/detail/task_block.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <new>
#include <thread>
#include <utility>

namespace troupe::detail {

/// The loop that a primitive belongs to. There it needs no lock; the operations of
/// tasks on other loops are carried out there, too, and their outcome is sent back.
class home_loop {
public:
  /// That of the loop it is made on; outside of all loops, the one that uses the
  /// primitive first.
  home_loop() noexcept {
    if (loop* here = loop::current())
      key_.store(here->key(), std::memory_order_relaxed);
  }

  /// Null if `here` is home; else the home. Throws `usage_error` that names `what` if the
  /// primitive belongs to another `run`.
  loop* seen_from(loop& here, const char* what) {
    std::uint64_t bound = key_.load(std::memory_order_relaxed);
    if (bound == here.key()) [[likely]]
      return nullptr;
    if (bound == 0 && key_.compare_exchange_strong(bound, here.key(), std::memory_order_relaxed))
      return nullptr;
    return other(here, bound, what);
  }

  /// For what answers at once: throws `usage_error` that names `what` on another loop.
  /// Allowed outside of all loops, where it is on the caller that nobody else is there.
  void check(const char* what);

  /// Whether the current loop is home already.
  [[nodiscard]] bool is_here() const noexcept {
    const loop* here = loop::current();
    return here && key_.load(std::memory_order_relaxed) == here->key();
  }

  /// Calls `f` at home: now, if that is here or outside of all loops; else soon.
  template <class F>
  void at_home(const char* what, F f) {
    loop* here = loop::current();
    loop* home = here ? seen_from(*here, what) : nullptr;
    if (!home) [[likely]]
      return f();
    post_call(*home, std::move(f));
  }

private:
  template <class F>
  static void post_call(loop& home, F f);
  [[nodiscard]] static loop* other(loop& here, std::uint64_t bound, const char* what);

  std::atomic<std::uint64_t> key_{0}; // of the loop; 0 for none yet
};

/// Who holds something: for those who look which tasks wait for each other, from any loop. That
/// task may have ended.
class holder {
public:
  void set(const task_block* t) noexcept { task_.store(t, std::memory_order_relaxed); }
  [[nodiscard]] const task_block* get() const noexcept {
    return task_.load(std::memory_order_relaxed);
  }

private:
  std::atomic<const task_block*> task_{nullptr};
};

class away_trip;

/// A task that stands in the queue of a primitive.
struct waiter_tag;
class waiter : public suspension, public list_node<waiter_tag> {
public:
  explicit waiter(const char* what) noexcept : what_(what) {}

  bool withdraw() noexcept final;
  [[nodiscard]] const char* waits_for() const noexcept final { return what_; }

  /// What it waits for has happened. At the primitive's home.
  void wake() noexcept;

  /// Who waits.
  [[nodiscard]] const task_block* task() const noexcept { return task_; }

  // -- for a trip to the primitive's home, there

  /// Whether it has it at once; else it stands in the queue now.
  virtual bool arrive() = 0;
  /// Takes itself out of the queue, without an effect.
  virtual void leave() noexcept { unlink(); }
  /// `arrive` has thrown. Only what can throw there has an answer to that.
  virtual void failed(const std::exception_ptr& why) noexcept;

protected:
  ~waiter() { unlink(); }

  /// Suspends the task until the operation has been carried out at `home`.
  void travel(task_block& t, loop& home);

  task_block* task_ = nullptr;
  away_trip* trip_ = nullptr; // from another loop

private:
  const char* what_;
};

using waiter_list = list<waiter, waiter_tag>;

/// An operation that is on its way to the home of a primitive and back. Outlives the
/// operation: the last message may still be there when the task goes on.
class away_trip {
public:
  away_trip(waiter& op, task_block& t, loop& home) noexcept
    : op_(op), task_(t), away_(t.home()), home_(home), there_(*this), withdraw_(*this),
      back_(*this) {}

  void start() noexcept { home_.post(there_); }

  /// The task does not want it any more; what has become of it comes back.
  void withdraw() noexcept {
    references_.fetch_add(1, std::memory_order_relaxed);
    home_.post(withdraw_);
  }

  /// At home: it is done, or was taken back.
  void done(bool effect) noexcept {
    done_ = true;
    effect_ = effect;
    away_.post(back_);
  }

private:
  struct there_message final : inbox_node {
    explicit there_message(away_trip& t) noexcept : trip(t) {}
    void run() noexcept override;
    away_trip& trip;
  };
  struct withdraw_message final : inbox_node {
    explicit withdraw_message(away_trip& t) noexcept : trip(t) {}
    void run() noexcept override;
    away_trip& trip;
  };
  struct back_message final : inbox_node {
    explicit back_message(away_trip& t) noexcept : trip(t) {}
    void run() noexcept override;
    away_trip& trip;
  };

  void release() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1)
      delete this;
  }

  waiter& op_;
  task_block& task_;
  loop& away_;
  loop& home_;
  there_message there_;
  withdraw_message withdraw_;
  back_message back_;
  std::atomic<int> references_{1};
  bool done_ = false;   // at home
  bool effect_ = false; // at home, before it comes back
};

/// The awaiting that all primitives share: `Op` says whether it can be had at
/// once (`try_now`), and where to stand otherwise (`queue`); `Base` is what the
/// operations of a queue have in common.
template <class Op, class Base = waiter>
class [[nodiscard]] waiting_op : public Base {
public:
  using troupe_awaitable = void;
  using Base::Base;

  [[nodiscard]] bool await_ready() const noexcept { return false; }

  template <troupe_promise Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) {
    task_block& t = *h.promise().task;
    if (t.cancelled_at(h)) [[unlikely]]
      return true;
    auto& op = static_cast<Op&>(*this);
    if (loop* home = op.home().seen_from(t.home(), this->waits_for())) [[unlikely]] {
      this->travel(t, *home); // all that can throw
      t.wait(h, *this);
      this->trip_->start();
      return true;
    }
    this->task_ = &t;
    if (op.try_now())
      return t.must_yield(h);
    op.queue().push_back(*this);
    t.wait(h, *this);
    return true;
  }

protected:
  ~waiting_op() = default;

private:
  bool arrive() final {
    auto& op = static_cast<Op&>(*this);
    if (op.try_now())
      return true;
    op.queue().push_back(*this);
    return false;
  }
};

// -- inline ---------------------------------------------------------------------

inline void waiter::wake() noexcept {
  unlink();
  if (trip_) [[unlikely]]
    trip_->done(true);
  else
    task_->wake();
}

template <class F>
void home_loop::post_call(loop& home, F f) {
  struct call final : inbox_node {
    explicit call(F&& what) : fn(std::move(what)) {}
    void run() noexcept override {
      fn();
      delete this;
    }
    F fn;
  };
  // what is given back must not be lost: destructors end up here
  auto* node = new (std::nothrow) call(std::move(f));
  for (; !node; node = new (std::nothrow) call(std::move(f)))
    std::this_thread::yield();
  home.post(*node);
}

} // namespace troupe::detail
