// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/error.hpp>
#include <troupe/nursery.hpp>
#include <troupe/outcome.hpp>
#include <troupe/task.hpp>
#include <troupe/task_handle.hpp>

#include <concepts>
#include <exception>
#include <source_location>
#include <type_traits>
#include <utility>

namespace troupe::detail {

template <class T>
inline constexpr bool is_task_handle = false;
template <class T>
inline constexpr bool is_task_handle<task_handle<T>> = true;

/// What the combinators take: tasks, which they run, and handles of tasks that
/// run already, whose end they wait for.
template <class T>
concept combinable = is_task<T> || is_task_handle<T>;

/// Waits for a task that runs already. Its result is copied where it can be, as
/// others may hold handles.
template <class T>
task<T> await_handle(task_handle<T> handle) {
  if constexpr (std::is_void_v<T> || std::copy_constructible<T>)
    co_return co_await handle;
  else
    co_return co_await std::move(handle);
}

/// What awaiting the handle of a task that has ended gives or throws.
template <class T>
T result_of(const task_handle<T>& handle) {
  constexpr bool move = !std::is_void_v<T> && !std::copy_constructible<T>;
  return join_awaiter<T, move>(static_cast<child_base<T>&>(handle.block())).await_resume();
}

template <class T>
task<T> as_task(task<T> t) noexcept {
  return t;
}
template <class T>
task<T> as_task(task_handle<T> handle) {
  return await_handle(std::move(handle));
}

/// Where the function of a task that has not begun was defined: its name for
/// the task tree.
template <class T>
std::source_location origin_of(task<T>& t) {
  auto frame = std::move(t).release();
  const std::source_location where = frame.promise().where;
  t = frame.promise().get_return_object(where);
  return where;
}

/// `t` under the name of another function: of the one it was wrapped around.
template <class T>
task<T> with_origin(task<T> t, std::source_location where) {
  return std::move(t).release().promise().get_return_object(where);
}

/// A callable that gives a task away: starts it in a nursery, or makes it a body,
/// without a frame around it.
template <class T>
struct give_task {
  task<T> held;
  task<T> operator()() { return std::move(held); }
};
template <class T>
give_task(task<T>) -> give_task<T>;

/// The result of a child that has ended without an error. Throws
/// `task_cancelled` if it was cancelled by itself.
template <class T>
result_value<T> take_result(const task_handle<T>& handle) {
  if (handle.cancelled())
    throw_task_cancelled(handle.block());
  if constexpr (std::is_void_v<T>)
    return {};
  else
    return std::move(*static_cast<child_base<T>&>(handle.block()).result().value);
}

/// Runs a task and gives its result; `std::monostate` for void.
template <class T>
task<result_value<T>> run_for_value(task<T> t) {
  if constexpr (std::is_void_v<T>) {
    co_await std::move(t);
    co_return std::monostate{};
  } else {
    co_return co_await std::move(t);
  }
}

/// Runs a task and never fails.
template <class T>
task<outcome<T>> settle(task<T> t) {
  try {
    co_return outcome<T>(co_await run_for_value(std::move(t)));
  } catch (const task_cancelled&) {
    co_return outcome<T>(std::current_exception(), true);
  } catch (...) {
    co_return outcome<T>(std::current_exception());
  }
}

template <class T>
task<outcome<T>> settle_named(task<T> t) {
  const std::source_location where = origin_of(t);
  return with_origin(settle(std::move(t)), where);
}

} // namespace troupe::detail
