// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/safe_to_await.hpp>
#include <troupe/detail/task_block.hpp>
#include <troupe/task.hpp>

#include <cstddef>
#include <functional>
#include <type_traits>
#include <utility>

namespace troupe::testing {

/// Counts the checkpoints that the task which makes it comes to, as long as it lives; those
/// of its children are theirs. A task can have several, one inside of the other. Throws
/// `usage_error` outside of a task, `std::bad_alloc`.
class checkpoint_counter final : private detail::checkpoint_watch {
public:
  checkpoint_counter();
  checkpoint_counter(const checkpoint_counter&) = delete;
  checkpoint_counter& operator=(const checkpoint_counter&) = delete;
  ~checkpoint_counter();

  [[nodiscard]] std::size_t count() const noexcept { return count_; }

private:
  void at_checkpoint(detail::task_block& t) override;
  bool may_run(detail::task_block& t) noexcept override { return !outer_ || outer_->may_run(t); }

  detail::task_block& task_;
  detail::checkpoint_watch* outer_;
  std::size_t count_ = 0;
};

} // namespace troupe::testing

namespace troupe {

namespace detail {

/// Throws `test_failure` if there were some and none were expected, or the other way round.
void check_checkpoints(std::size_t count, bool expected);

template <class T, class F>
task<T> watch_checkpoints_of(F fn, bool expected) {
  const testing::checkpoint_counter passed;
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::invoke(fn);
      check_checkpoints(passed.count(), expected);
    } else {
      T value = co_await std::invoke(fn);
      check_checkpoints(passed.count(), expected);
      co_return value;
    }
  } catch (...) {
    if (!expected)
      check_checkpoints(passed.count(), expected);
    throw;
  }
}

template <class F>
using value_of_task = typename std::invoke_result_t<F&>::value_type;

} // namespace detail

} // namespace troupe

namespace troupe::testing {

/// Awaits `fn()`, a task, and gives its result. Throws `test_failure` if it has come to no
/// checkpoint, what `fn` throws, `std::bad_alloc`. A checkpoint if `fn` is one.
template <class F>
[[nodiscard]] auto assert_checkpoints(F&& fn) {
  detail::check_awaited_arguments<F>();
  return detail::watch_checkpoints_of<detail::value_of_task<F>>(
    std::decay_t<F>(std::forward<F>(fn)), true);
}

/// Awaits `fn()`, a task, and gives its result. Throws `test_failure` if it has come to a
/// checkpoint, also if it fails afterwards; what `fn` throws, `std::bad_alloc`. Cancelled
/// there it says nothing: the task is unwound. A checkpoint if `fn` is one.
template <class F>
[[nodiscard]] auto assert_no_checkpoints(F&& fn) {
  detail::check_awaited_arguments<F>();
  return detail::watch_checkpoints_of<detail::value_of_task<F>>(
    std::decay_t<F>(std::forward<F>(fn)), false);
}

} // namespace troupe::testing
