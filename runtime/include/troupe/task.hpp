// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/frame.hpp>
#include <troupe/detail/loop.hpp>
#include <troupe/detail/result.hpp>

#include <concepts>
#include <coroutine>
#include <type_traits>
#include <utility>

namespace troupe {

template <class T>
class task;

namespace detail {

template <class T>
struct task_promise_base : frame_promise {
  template <class U = T>
    requires std::constructible_from<T, U&&>
  void return_value(U&& value) { static_cast<result_link<T>*>(link)->set(std::forward<U>(value)); }
};

template <>
struct task_promise_base<void> : frame_promise {
  void return_void() const noexcept {}
};

template <class T>
struct task_promise : task_promise_base<T> {
  task<T> get_return_object(std::source_location here = std::source_location::current()) noexcept {
    this->where = here;
    return task<T>{std::coroutine_handle<task_promise>::from_promise(*this)};
  }

  final_awaiter final_suspend() const noexcept { return {}; }
};

[[noreturn]] void throw_task_is_over();

/// Awaits a task as a part of the awaiting one: a function call that may
/// suspend. Cancellation unwinds through it.
template <class T>
class [[nodiscard]] task_awaiter : public result_link<T> {
public:
  explicit task_awaiter(std::coroutine_handle<task_promise<T>> h) noexcept : result_link<T>(h) {}

  [[nodiscard]] bool await_ready() const noexcept { return false; }

  template <troupe_promise Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
    auto& mine = frame_promise::of(this->child);
    task_block& t = *awaiting.promise().task;
    this->join(mine, &awaiting.promise(), &t);
    return transfer(t, this->child);
  }

  T await_resume() { return this->take(); }
};

} // namespace detail

/// A coroutine that runs in a nursery: the return type of every function that
/// awaits.
///
/// A task does nothing until it is awaited (`co_await f()`, it is then a part
/// of the awaiting task) or started in a nursery (`n.start_soon(f)`). One that
/// is neither is a mistake that the compiler reports.
///
/// The coroutine frame belongs to this object: destroying it before it was
/// awaited destroys the arguments, nothing has run.
template <class T = void>
class [[nodiscard("a task does nothing until it is awaited or started in a nursery")]] task {
public:
  static_assert(!std::is_reference_v<T>, "troupe: a task returns a value; use a pointer or "
                                         "std::reference_wrapper to return a reference");
  using promise_type = detail::task_promise<T>;
  using value_type = T;
  using troupe_awaitable = void;

  task(task && other) noexcept : frame_(std::exchange(other.frame_, {})) {}
  task& operator=(task&& other) noexcept {
    task(std::move(other)).swap(*this);
    return *this;
  }
  ~task() {
    if (frame_)
      frame_.destroy();
  }

  void swap(task & other) noexcept { std::swap(frame_, other.frame_); }

  /// Runs the coroutine as a part of the awaiting task; gives its result or
  /// throws what it has thrown. Not a checkpoint by itself. Throws `usage_error` if it
  /// was awaited or started before.
  auto operator co_await()&& { return detail::task_awaiter<T>{std::move(*this).release()}; }

  /// Gives the coroutine away. For the runtime.
  [[nodiscard]] std::coroutine_handle<promise_type> release()&& {
    if (!frame_) [[unlikely]]
      detail::throw_task_is_over();
    return std::exchange(frame_, {});
  }

private:
  friend promise_type;
  explicit task(std::coroutine_handle<promise_type> h) noexcept : frame_(h) {}

  std::coroutine_handle<promise_type> frame_;
};

namespace detail {

template <class T>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<task<T>> = true;

} // namespace detail

} // namespace troupe
