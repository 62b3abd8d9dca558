// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/child.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace troupe {

namespace detail {
[[noreturn]] void throw_empty_handle();
} // namespace detail

/// A task that was started in a nursery, seen by the one who started it: its
/// result can be awaited, and it can be cancelled alone.
///
/// The nursery owns the task; the handle only looks at it, and may be dropped
/// or outlive it. A failure goes to the nursery whether or not somebody awaits
/// the handle. All members are for the loop that started the task. A handle without
/// a task can be asked only whether it has one: else it throws `usage_error`.
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
  auto operator co_await() const& { return detail::join_awaiter<T, false>(child()); }
  auto operator co_await() && { return detail::join_awaiter<T, true>(child()); }

  /// Cancels this task; its siblings go on. Idempotent; no effect after its end.
  void cancel(std::string_view why = {}) const { child().cancel(why); }

  /// Whether the task has ended, in whatever way.
  [[nodiscard]] bool done() const { return child().ended(); }

  /// Whether it has ended because it was cancelled.
  [[nodiscard]] bool cancelled() const { return child().ended_cancelled(); }

  /// What it has thrown; null if it has not.
  [[nodiscard]] std::exception_ptr error() const { return child().error(); }

  /// The name that was given with `named`, or the function's.
  [[nodiscard]] std::string name() const { return child().name(); }

  /// The task itself. For the runtime.
  [[nodiscard]] detail::task_block& block() const { return child(); }

  friend bool operator==(const task_handle&, const task_handle&) = default;

private:
  [[nodiscard]] detail::child_base<T>& child() const {
    if (!child_) [[unlikely]]
      detail::throw_empty_handle();
    return *child_;
  }

  detail::child_base<T>* child_ = nullptr;
};

} // namespace troupe
