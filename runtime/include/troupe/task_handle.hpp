// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/child.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace troupe {

/// A task that was started in a nursery, seen by the one who started it: its
/// result can be awaited, and it can be cancelled alone.
///
/// The nursery owns the task; the handle only looks at it, and may be dropped
/// or outlive it. A failure goes to the nursery whether or not somebody awaits
/// the handle. All members are for the loop that started the task.
template <class T>
class task_handle {
public:
  using value_type = T;
  using troupe_awaitable = void;

  task_handle() = default;
  explicit task_handle(detail::child_base<T>& child) noexcept : child_(&child) {
    child_->add_ref();
  }
  task_handle(const task_handle& other) noexcept : child_(other.child_) {
    if (child_)
      child_->add_ref();
  }
  task_handle(task_handle&& other) noexcept : child_(std::exchange(other.child_, nullptr)) {}
  task_handle& operator=(task_handle other) noexcept {
    std::swap(child_, other.child_);
    return *this;
  }
  ~task_handle() {
    if (child_)
      child_->release();
  }

  [[nodiscard]] explicit operator bool() const noexcept { return child_ != nullptr; }

  /// Waits for the end of the task and gives its result: a copy, or, of a handle
  /// that is given up (`co_await std::move(h)`), the result itself. Throws what
  /// the task has thrown, `task_cancelled` if it was cancelled. A checkpoint.
  auto operator co_await() const& noexcept { return detail::join_awaiter<T, false>(*child_); }
  auto operator co_await() && noexcept { return detail::join_awaiter<T, true>(*child_); }

  /// Cancels this task; its siblings go on. Idempotent; no effect after its end.
  void cancel(std::string_view why = {}) const noexcept { child_->cancel(why); }

  /// Whether the task has ended, in whatever way.
  [[nodiscard]] bool done() const noexcept { return child_->ended(); }

  /// Whether it has ended because it was cancelled.
  [[nodiscard]] bool cancelled() const noexcept { return child_->ended_cancelled(); }

  /// What it has thrown; null if it has not.
  [[nodiscard]] std::exception_ptr error() const noexcept { return child_->error(); }

  /// The name that was given with `named`, or the function's.
  [[nodiscard]] std::string name() const { return child_->name(); }

  /// The task itself. For the runtime.
  [[nodiscard]] detail::task_block& block() const noexcept { return *child_; }

  friend bool operator==(const task_handle&, const task_handle&) = default;

private:
  detail::child_base<T>* child_ = nullptr;
};

} // namespace troupe
