// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/child.hpp>
#include <troupe/detail/thread_job.hpp>
#include <troupe/outcome.hpp>

#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace troupe {
class loop_token;
} // namespace troupe

namespace troupe::detail {

class remote_scope;

// -- to_thread --------------------------------------------------------------------

template <class F, class... Args>
struct call_on_thread {
  static_assert(std::is_invocable_v<F, Args...>,
                "troupe: the function cannot be called with these arguments. They are stored and "
                "passed as rvalues, as std::thread does: where the function takes a non-const "
                "reference, pass std::ref(x).");
  using result = std::invoke_result_t<F, Args...>;
  static_assert(!is_task<result>, "troupe: to_thread runs plain functions; a coroutine is awaited, "
                                  "or started in a nursery");
  static_assert(!std::is_reference_v<result>, "troupe: a function on a thread returns a value");
};

/// The work with its function and result.
template <class Base, class F, class... Args>
class typed_work : public Base {
public:
  using value_type = typename call_on_thread<F, Args...>::result;

  template <class Fn, class... As>
  typed_work(thread_wait& w, const std::string& name, Fn&& fn, As&&... args)
    : Base(w, name), call_(stored_call<F, Args...>{
                       std::forward<Fn>(fn), std::tuple<Args...>(std::forward<As>(args)...)}) {}

  value_type take() {
    if constexpr (!std::is_void_v<value_type>)
      return std::move(*value_);
  }

protected:
  void drop_all() noexcept {
    call_.reset();
    value_.reset();
  }

private:
  void call() final {
    if constexpr (std::is_void_v<value_type>)
      (*call_)();
    else
      value_.emplace((*call_)());
  }

  std::optional<stored_call<F, Args...>> call_;
  std::optional<result_value<value_type>> value_;
};

/// The task stays with its thread.
template <class F, class... Args>
class [[nodiscard]] thread_op final : public thread_wait {
public:
  template <class Fn, class... As>
  thread_op(thread_pool* pool, bool has_limiter, const std::string& name, Fn&& fn, As&&... args)
    : thread_wait(false, pool, has_limiter, name),
      work_(*this, name, std::forward<Fn>(fn), std::forward<As>(args)...) {}

  auto await_resume() {
    this->rethrow_failure();
    return work_.take();
  }

private:
  class work final : public typed_work<attached_work, F, Args...> {
    using typed_work<attached_work, F, Args...>::typed_work;
  };

  thread_work& own_work() noexcept override { return work_; }

  work work_;
};

/// The task may leave.
template <class F, class... Args>
class [[nodiscard]] abandonable_op final : public thread_wait {
public:
  template <class Fn, class... As>
  abandonable_op(thread_pool* pool, bool has_limiter, const std::string& name, Fn&& fn,
                 As&&... args)
    : thread_wait(true, pool, has_limiter, name),
      work_(new work(*this, name, std::forward<Fn>(fn), std::forward<As>(args)...)) {}
  ~abandonable_op() {
    if (work_)
      work_->dispose();
  }

  auto await_resume() {
    this->rethrow_failure();
    return work_->take();
  }

private:
  class work final : public typed_work<abandonable_work, F, Args...> {
    using typed_work<abandonable_work, F, Args...>::typed_work;
    void drop() noexcept override { this->drop_all(); }
  };

  thread_work& own_work() noexcept override { return *work_; }
  bool abandon() noexcept override {
    if (!work_->abandon())
      return false;
    work_ = nullptr; // the thread's
    return true;
  }

  work* work_;
};

// -- from_thread ------------------------------------------------------------------

/// A call on a loop that a thread waits for. Lives on the thread's stack.
class visit : public inbox_node {
public:
  visit(const visit&) = delete;
  visit& operator=(const visit&) = delete;

  /// Makes the coroutine, which throws nothing. On the loop.
  [[nodiscard]] virtual task<> make() = 0;

  /// The last of it, when the coroutine is gone. On the loop.
  void answer(bool cancelled = false) noexcept;
  void answer(std::exception_ptr failure) noexcept;

protected:
  visit() = default;
  ~visit() = default;

  /// Waits for the answer. Throws the failure. On the thread.
  void wait();

  std::exception_ptr error_;

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool answered_ = false;
  bool cancelled_ = false;
};

/// To the task that waits for the thread.
class task_visit : public visit {
public:
  explicit task_visit(thread_work& w) noexcept : work_(w) {}

  /// At `where`; null if nobody is there. On the loop.
  void arrive(thread_wait* where) noexcept;

protected:
  ~task_visit() = default;
  void send();

private:
  void run() noexcept final { arrive(work_.waiting()); }
  thread_work& work_;
};

/// To a nursery.
class nursery_visit : public visit {
public:
  using target = std::pair<const loop_token&, std::string>;
  explicit nursery_visit(target to);

protected:
  ~nursery_visit() = default;
  void send();

private:
  void run() noexcept final;
  static task<> child(nursery_visit* v);

  std::shared_ptr<remote_scope> scope_;
  std::string name_;
};

/// What the calling thread works on. Throws `usage_error` that names `what` if that is
/// nothing, or if the thread is a loop's.
[[nodiscard]] thread_work& require_work(const char* what);

/// Throws `usage_error` on a loop's thread.
void refuse_on_loop(const char* what);

template <class T>
struct visited {
  using value_type = T;
};
template <class T>
struct visited<task<T>> {
  using value_type = T;
};

template <class Base, class F, class... Args>
class typed_visit final : public Base {
  static_assert(std::is_invocable_v<F, Args...>,
                "troupe: the function cannot be called with these arguments. They are stored and "
                "passed as rvalues, as std::thread does: where the function takes a non-const "
                "reference, pass std::ref(x).");
  using result = std::invoke_result_t<F, Args...>;

public:
  using value_type = typename visited<result>::value_type;
  static_assert(!std::is_reference_v<value_type>, "troupe: a function on a loop returns a value");

  template <class Where, class Fn, class... As>
  explicit typed_visit(Where&& where, Fn&& fn, As&&... args)
    : Base(std::forward<Where>(where)), call_{std::forward<Fn>(fn),
                                              std::tuple<Args...>(std::forward<As>(args)...)} {}

  value_type go() {
    this->send();
    if constexpr (!std::is_void_v<value_type>)
      return std::move(*value_);
  }

private:
  task<> make() override { return run_call(*this); }

  static task<> run_call(typed_visit& v) {
    try {
      if constexpr (!is_task<result>) {
        if constexpr (std::is_void_v<value_type>)
          v.call_();
        else
          v.value_.emplace(v.call_());
      } else if constexpr (std::is_void_v<value_type>) {
        co_await v.call_();
      } else {
        v.value_.emplace(co_await v.call_());
      }
    } catch (...) {
      v.error_ = std::current_exception();
    }
    co_return;
  }

  stored_call<F, Args...> call_;
  std::optional<result_value<value_type>> value_;
};

} // namespace troupe::detail
