// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/loop.hpp>
#include <troupe/detail/task_block.hpp>

#include <atomic>

namespace troupe::detail {

/// The loop that a primitive belongs to: the one that uses it first. There it
/// needs no lock; elsewhere it is refused.
class home_loop {
public:
  /// Throws `usage_error` that names `what` if `here` is another loop.
  void check(loop& here, const char* what) {
    loop* bound = loop_.load(std::memory_order_relaxed);
    if (bound == &here) [[likely]]
      return;
    if (bound || !loop_.compare_exchange_strong(bound, &here, std::memory_order_relaxed))
      refuse(what);
  }
  /// The same for the current loop, for what is no await. Allowed outside of all
  /// loops as long as no loop has used the primitive.
  void check(const char* what);

private:
  [[noreturn]] static void refuse(const char* what);

  std::atomic<loop*> loop_{nullptr};
};

/// A task that stands in the queue of a primitive.
struct waiter_tag;
class waiter : public suspension, public list_node<waiter_tag> {
public:
  explicit waiter(const char* what) noexcept : what_(what) {}

  bool withdraw() noexcept override {
    unlink();
    return true;
  }
  [[nodiscard]] const char* waits_for() const noexcept final { return what_; }

  /// What it waits for has happened.
  void wake() noexcept {
    unlink();
    task_->wake();
  }

  [[nodiscard]] task_block* task() const noexcept { return task_; }

protected:
  ~waiter() { unlink(); }

  task_block* task_ = nullptr;

private:
  const char* what_;
};

using waiter_list = list<waiter, waiter_tag>;

/// The awaiting that all primitives share: `Op` says whether it can be had at
/// once (`try_now`), and where to stand otherwise (`queue`).
template <class Op>
class [[nodiscard]] waiting_op : public waiter {
public:
  using troupe_awaitable = void;
  using waiter::waiter;

  [[nodiscard]] bool await_ready() const noexcept { return false; }

  template <troupe_promise Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) {
    task_block& t = *h.promise().task;
    if (t.cancelled_at(h)) [[unlikely]]
      return true;
    auto& op = static_cast<Op&>(*this);
    op.home().check(t.home(), waits_for());
    task_ = &t;
    if (op.try_now())
      return t.must_yield(h);
    op.queue().push_back(*this);
    t.wait(h, *this);
    return true;
  }

protected:
  ~waiting_op() = default;
};

} // namespace troupe::detail
