// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/cancel_scope.hpp>
#include <troupe/detail/completion_watch.hpp>
#include <troupe/task_handle.hpp>
#include <troupe/time.hpp>

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace troupe {

/// Gives tasks in the order in which they end:
///
///     as_completed done(handles, 2s);
///     while (auto h = co_await done.next())
///       use(co_await *h); // at once: it has ended
///
/// The tasks belong to their nursery; this only looks at them, and one that is
/// left early leaves them alone. All members are for the loop that started the
/// tasks; `next` is for one task at a time.
///
/// After `asyncio.as_completed`.
template <class T>
class as_completed {
public:
  /// `limit` is for all of them together, and counts from here. Throws
  /// `std::bad_alloc`.
  explicit as_completed(std::vector<task_handle<T>> tasks, duration limit = duration::max())
    : tasks_(std::move(tasks)), deadline_(deadline_after(current_time(), limit)) {
    for (const auto& h : tasks_)
      watch_.add(h.block());
  }

  /// How many were not given yet.
  [[nodiscard]] std::size_t left() const noexcept { return watch_.left(); }

  /// The next task that has ended, whether with a result, a failure or cancelled;
  /// nothing when all were given. Throws `timeout_error` when the limit is over
  /// before; those that end later can still be asked for with another call, which
  /// throws unless they are there. A checkpoint. Cancelled, it has given nothing.
  [[nodiscard]] task<std::optional<task_handle<T>>> next() {
    if (watch_.left() == 0)
      co_return std::nullopt;
    if (watch_.available() == 0) {
      co_await fail_at(
        deadline_, [this]() -> task<> { co_await watch_.next(); }, "as_completed");
    } else {
      co_await watch_.next();
    }
    co_return tasks_[watch_.take()];
  }

private:
  std::vector<task_handle<T>> tasks_;
  detail::completion_watch watch_;
  time_point deadline_;
};

} // namespace troupe
