// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/loop.hpp>
#include <troupe/detail/result.hpp>
#include <troupe/task.hpp>

#include <functional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace troupe {

/// A callable with a name for the task that runs it:
///
///     n.start_soon(named("worker 3", worker), queue);
template <class F>
struct named_callable {
  std::string name;
  F fn;
};

template <class F>
[[nodiscard]] named_callable<std::decay_t<F>> named(std::string name, F&& fn) {
  return {std::move(name), std::forward<F>(fn)};
}

namespace detail {

template <class F>
inline constexpr bool is_named = false;
template <class F>
inline constexpr bool is_named<named_callable<F>> = true;

/// A task that has a result somebody may wait for.
template <class T>
class child_base : public task_block {
public:
  using task_block::task_block;

  [[nodiscard]] result_link<T>& result() noexcept { return result_; }

protected:
  ~child_base() = default;
  frame_link& root() noexcept final { return result_; }

private:
  result_link<T> result_;
};

[[noreturn]] void throw_task_cancelled(task_block& t);

/// Hears of the end of a task. Stands in a list in the task's extras.
struct join_tag;
class joiner : public list_node<join_tag> {
public:
  /// The task has ended; it no longer knows of this joiner.
  virtual void notify() noexcept = 0;

protected:
  ~joiner() { unlink(); }

  /// Throws `std::bad_alloc`.
  void enlist_with(task_block& target);
};

/// Waits for the end of a task.
class join_wait : public suspension, public joiner {
public:
  explicit join_wait(task_block& target) noexcept : target_(&target) { target_->add_ref(); }
  ~join_wait() {
    unlink();
    target_->release();
  }

  [[nodiscard]] bool await_ready() const noexcept { return false; }

  template <troupe_promise Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) {
    waiter_ = h.promise().task;
    if (waiter_->cancelled_at(h))
      return true;
    if (target_->ended())
      return waiter_->must_yield(h);
    enlist_with(*target_);
    waiter_->wait(h, *this);
    return true;
  }

  void notify() noexcept final { waiter_->wake(); }

  bool withdraw() noexcept final {
    unlink();
    return true;
  }
  [[nodiscard]] const char* waits_for() const noexcept final { return "the end of a task"; }
  [[nodiscard]] const task_block* waits_for_task() const noexcept final { return target_; }

protected:
  task_block* target_;

private:
  task_block* waiter_ = nullptr;
};

template <class T, bool Move>
class [[nodiscard]] join_awaiter : public join_wait {
public:
  explicit join_awaiter(child_base<T>& target) noexcept : join_wait(target) {}

  T await_resume() {
    auto& from = static_cast<child_base<T>*>(target_)->result();
    if (from.error)
      std::rethrow_exception(from.error);
    if (target_->ended_cancelled())
      throw_task_cancelled(*target_);
    if constexpr (!std::is_void_v<T>) {
      if constexpr (Move) {
        return std::move(*from.value);
      } else {
        static_assert(std::is_copy_constructible_v<T>,
                      "troupe: the result can only be moved: co_await std::move(handle)");
        return *from.value;
      }
    }
  }
};

/// The callable and its arguments, kept with the task as `std::thread` keeps
/// them, so that references refer to the stored copies.
template <class F, class... Args>
struct stored_call {
  [[no_unique_address]] F fn;
  [[no_unique_address]] std::tuple<Args...> args;

  auto operator()() {
    return std::apply(
      [this](auto&... stored) { return std::invoke(std::move(fn), std::move(stored)...); }, args);
  }
};

template <class F, class... Args>
struct task_of {
  static_assert(std::is_invocable_v<F, Args...>,
                "troupe: the function cannot be called with these arguments. They are stored "
                "with the task and passed as rvalues, as std::thread does: where the function "
                "takes a non-const reference, pass std::ref(x) and keep x alive longer than the "
                "nursery.");
  using result = std::invoke_result_t<F, Args...>;
  static_assert(is_task<result>, "troupe: only coroutines that return task<T> can be started in a "
                                 "nursery; a lambda says so with '-> troupe::task<>'");
  using value = typename result::value_type;
};

/// A child of a nursery on the nursery's own loop.
template <class T, class F, class... Args>
class child_block final : public child_base<T> {
public:
  template <class Fn, class... As>
  child_block(loop& home, nursery* owner, Fn&& fn, As&&... args)
    : child_base<T>(home, owner), call_{std::forward<Fn>(fn),
                                        std::tuple<Args...>(std::forward<As>(args)...)} {}

  /// Calls the function, which makes the coroutine, and schedules it.
  void start() {
    auto frame = call_().release();
    this->attach(frame, frame.promise());
    this->go();
  }

  /// What will be called, and with what.
  [[nodiscard]] stored_call<F, Args...>& call() noexcept { return call_; }

  static void* operator new(std::size_t bytes) { return allocate(bytes); }
  static void operator delete(void* p, std::size_t bytes) noexcept { deallocate(p, bytes); }

private:
  void on_end() noexcept override { this->report_to_owner(); }
  void dispose() noexcept override { delete this; }

  stored_call<F, Args...> call_;
};

} // namespace detail

} // namespace troupe
