// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/local_values.hpp>
#include <troupe/detail/safe_to_await.hpp>
#include <troupe/task.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace troupe {

/// Takes a task-local value back when it goes out of scope; see `task_local::set`.
class [[nodiscard("the value is taken back when this is destroyed")]] task_local_setting {
public:
  task_local_setting(std::uint64_t key, std::shared_ptr<const void> value)
    : setting_(key, std::move(value)) {}

private:
  detail::local_setting setting_;
};

/// A variable with a value of its own for each task: who is being served, for the
/// log, without passing it through every call.
///
///     task_local<std::string> user{"nobody"}; // usually a global
///
///     auto restore = user.set("anna");        // for this scope, or
///     co_await user.with("anna", body);       // for this call
///
/// A task inherits the values of the task that starts it, as they are at that
/// moment: neither sees what the other sets afterwards. It costs tasks that use none
/// nothing. Values are shared, never changed: with tasks on other loops too, so that
/// reading one has to be safe from several threads, as with all `const` objects.
///
/// The variable may end before the tasks that have set it. After Python's
/// `contextvars` and Trio's `RunVar`.
template <class T>
class task_local {
public:
  /// `fallback` is the value where none was set.
  explicit task_local(T fallback = T()) : fallback_(std::move(fallback)) {}
  task_local(const task_local&) = delete;
  task_local& operator=(const task_local&) = delete;

  /// The value for the current task, on a thread of `to_thread` for the task that waits
  /// for it; the fallback elsewhere. The reference
  /// is good for as long as the value is set. Any thread. Not a checkpoint.
  [[nodiscard]] const T& get() const noexcept {
    const void* found = detail::find_local(key_);
    return found ? *static_cast<const T*>(found) : fallback_;
  }

  /// Sets the value for the current task, until what is returned is destroyed.
  /// Throws `std::logic_error` outside of tasks, `std::bad_alloc`. Not a checkpoint.
  [[nodiscard]] task_local_setting set(T value) const {
    return task_local_setting(key_, std::make_shared<const T>(std::move(value)));
  }

  /// Runs `body()`, a coroutine, with the value set; gives what it gives. Not a
  /// checkpoint by itself.
  template <class Body>
  [[nodiscard]] auto with(T value, Body&& body) const {
    detail::check_awaited_arguments<Body>();
    using call = std::invoke_result_t<Body&>;
    static_assert(detail::is_task<call>, "troupe: the body has to be a coroutine that returns "
                                         "task<T>; a lambda says so with '-> troupe::task<>'");
    return run_with<call, std::decay_t<Body>>(key_, std::move(value), std::forward<Body>(body));
  }

private:
  template <class Call, class Body>
  static Call run_with(std::uint64_t key, T value, Body body) {
    const task_local_setting restore(key, std::make_shared<const T>(std::move(value)));
    co_return co_await std::invoke(body);
  }

  const std::uint64_t key_ = detail::new_local_key();
  const T fallback_;
};

} // namespace troupe
