// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/cancel_scope.hpp>
#include <troupe/detail/combine.hpp>
#include <troupe/detail/completion_watch.hpp>
#include <troupe/task_handle.hpp>
#include <troupe/time.hpp>

#include <string>
#include <utility>
#include <vector>

namespace troupe {

/// When `wait` is over.
enum class wait_until {
  first_completed, ///< one task has ended, in whatever way
  first_exception, ///< one has failed (being cancelled is no failure), or all have ended
  all_completed,   ///< all have ended
};

/// What `wait` has found, both in the order of the argument.
template <class T>
struct wait_result {
  std::vector<task_handle<T>> done;
  std::vector<task_handle<T>> pending;
};

namespace detail {

template <class T>
task<> watch_until(const std::vector<task_handle<T>>& tasks, wait_until until) {
  completion_watch watch;
  for (const auto& h : tasks)
    watch.add(h.block());
  while (watch.left() != 0) {
    co_await watch.next();
    const auto& ended = tasks[watch.take()];
    if (until == wait_until::first_completed)
      co_return;
    if (until == wait_until::first_exception && ended.error())
      co_return;
  }
}

} // namespace detail

/// Waits for tasks that run already, at most for `limit`, and says which have
/// ended. Cancels none, and throws none of their failures: those are the nursery's.
/// A checkpoint.
///
/// After `asyncio.wait`.
template <class T>
[[nodiscard]] task<wait_result<T>> wait(std::vector<task_handle<T>> tasks,
                                        wait_until until = wait_until::all_completed,
                                        duration limit = duration::max()) {
  if (tasks.empty())
    co_await checkpoint();
  static_cast<void>(
    co_await move_on_after(limit, [&]() -> task<> { co_await detail::watch_until(tasks, until); }));
  wait_result<T> result;
  for (auto& h : tasks)
    (h.done() ? result.done : result.pending).push_back(std::move(h));
  co_return result;
}

/// Runs a task as a part of this one, at most for `limit`: `fail_after` for a
/// single call.
///
///     auto page = co_await wait_for(fetch(url), 2s);
///
/// Gives its result, or throws what it throws; `timeout_error`, which names the
/// call as `name`, if it was cut off. A checkpoint if the task is.
template <class T>
[[nodiscard]] task<T> wait_for(task<T> t, duration limit, std::string name = "wait_for") {
  detail::give_task<T> body{std::move(t)};
  co_return co_await fail_after(limit, std::ref(body), std::move(name));
}

/// Waits for a task that runs already. After `limit` the task is cancelled, its
/// end waited for, and `timeout_error` thrown; if it has come to a result
/// nevertheless, that is given. Cancelled itself, it leaves the task alone. A
/// checkpoint.
template <class T>
[[nodiscard]] task<T> wait_for(task_handle<T> handle, duration limit,
                               std::string name = "wait_for") {
  const auto ended = [&]() -> task<> {
    detail::completion_watch watch;
    watch.add(handle.block());
    co_await watch.next();
  };
  const bool in_time = co_await move_on_after(limit, ended);
  if (!in_time) {
    handle.cancel(name + " has timed out");
    co_await ended();
    if (handle.cancelled())
      throw timeout_error("troupe: '" + name + "' did not end before its deadline");
  }
  // not another await, which could be cancelled: the result is here
  co_return detail::result_of(handle);
}

} // namespace troupe
