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
template <class F, class... Args>
class typed_work : public thread_work {
public:
  using value_type = typename call_on_thread<F, Args...>::result;

  template <class Fn, class... As>
  explicit typed_work(std::string name, Fn&& fn, As&&... args)
    : thread_work(std::move(name)),
      call_(std::in_place,
            stored_call<F, Args...>{std::forward<Fn>(fn),
                                    std::tuple<Args...>(std::forward<As>(args)...)}) {}

  value_type take() {
    if constexpr (!std::is_void_v<value_type>)
      return std::move(*value_);
  }

protected:
  ~typed_work() = default;

  void drop_call() noexcept { call_.reset(); }
  void drop_value() noexcept { value_.reset(); }

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

/// The task stays with its thread: the work lives in the awaiter.
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
  class work final : public typed_work<F, Args...> {
  public:
    template <class Fn, class... As>
    work(thread_op& op, const std::string& name, Fn&& fn, As&&... args)
      : typed_work<F, Args...>(name, std::forward<Fn>(fn), std::forward<As>(args)...) {
      this->wait_ = &op;
    }
    void attach(loop& home) noexcept { this->home_ = &home; }

  private:
    void finished() noexcept override { this->home_->post(*this); }
    bool post_visit(inbox_node& v) noexcept override {
      this->home_->post(v);
      return true;
    }
  };

  thread_work& make_work() override {
    work_.attach(this->task().home());
    return work_;
  }

  work work_;
};

/// The task may leave, so the work lives on its own.
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
  class work final : public typed_work<F, Args...> {
  public:
    template <class Fn, class... As>
    work(abandonable_op& op, const std::string& name, Fn&& fn, As&&... args)
      : typed_work<F, Args...>(name, std::forward<Fn>(fn), std::forward<As>(args)...) {
      this->wait_ = &op;
    }
    void attach(loop& home) noexcept { this->home_ = &home; }

    /// On the loop. Returns false if it is done.
    bool abandon() noexcept {
      const std::lock_guard lock(mutex_);
      if (done_)
        return false;
      this->wait_ = nullptr;
      abandoned_ = true;
      return true;
    }

    /// When its thread has let go of it.
    void dispose() noexcept {
      std::unique_lock(mutex_).unlock();
      delete this;
    }

  private:
    void execute() noexcept override {
      typed_work<F, Args...>::execute();
      std::unique_lock lock(mutex_);
      if (!abandoned_)
        return;
      lock.unlock();
      this->drop_call(); // here, before the thread takes another job
      this->drop_value();
    }
    void finished() noexcept override {
      std::unique_lock lock(mutex_);
      if (abandoned_) {
        lock.unlock();
        delete this;
      } else {
        done_ = true;
        this->home_->post(*this); // under the lock: after an `abandon` the loop may be gone
      }
    }
    bool post_visit(inbox_node& v) noexcept override {
      const std::lock_guard lock(mutex_);
      if (abandoned_)
        return false;
      this->home_->post(v);
      return true;
    }

    std::mutex mutex_;
    bool abandoned_ = false;
    bool done_ = false;
  };

  thread_work& make_work() override {
    work_->attach(this->task().home());
    return *work_;
  }
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

protected:
  ~task_visit() = default;
  void send();

private:
  void run() noexcept final;
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
