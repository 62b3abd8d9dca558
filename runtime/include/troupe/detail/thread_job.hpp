// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/list.hpp>
#include <troupe/detail/loop.hpp>
#include <troupe/error.hpp>
#include <troupe/task.hpp>

#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace troupe {
class thread_pool;
} // namespace troupe

namespace troupe::detail {

class pool_core;
class thread_wait;
class task_visit;

/// Something for a thread of a pool to do.
struct job_tag;
class thread_job : public list_node<job_tag> {
public:
  virtual void execute() noexcept = 0;

  /// The thread can take another job; this one is not touched any more.
  virtual void finished() noexcept = 0;

  /// It stands in the queue no more. Any thread.
  [[nodiscard]] bool taken() const noexcept { return taken_.load(std::memory_order_acquire); }

protected:
  ~thread_job() = default;

private:
  friend class pool_core;
  std::atomic<bool> taken_{false};
  bool counted_ = true; // is one of the pool's `size`
};

/// Where a job is to run.
struct thread_place {
  pool_core* pool;
  bool counted;
};

/// The pool that was asked for, or that of the runtime. Throws `std::system_error`.
[[nodiscard]] thread_place place_for(loop& home, thread_pool* pool, bool has_limiter);

/// Throws `usage_error` if the pool is closed, `std::system_error` if there is no thread
/// and none can be made.
void submit(const thread_place& place, thread_job& job);

/// Takes `job` out of the queue of its pool. Returns false if it has begun.
[[nodiscard]] bool take_back(const thread_place& place, thread_job& job) noexcept;

/// The function on the thread was told that it is cancelled: the await does not come
/// back if it lets this pass.
class cancelled_on_thread final : public task_cancelled {
public:
  using task_cancelled::task_cancelled;
};

/// A call on a thread on behalf of a task.
class thread_work : public thread_job, public inbox_node {
public:
  /// What the calling thread works on, or null.
  [[nodiscard]] static thread_work* current() noexcept;

  /// On the work's thread.
  [[nodiscard]] bool cancelled() const noexcept {
    return cancelled_.load(std::memory_order_acquire);
  }
  [[noreturn]] static void throw_cancelled();

  /// Sends `v` to the loop. Returns false if the task has gone. On the work's thread.
  [[nodiscard]] virtual bool send(task_visit& v) noexcept = 0;

  /// The `task_local` values of the task, as they were when the work began.
  [[nodiscard]] const void* locals() const noexcept { return locals_.get(); }

  /// Who waits for it; null if it was abandoned. On the loop.
  [[nodiscard]] thread_wait* waiting() const noexcept { return wait_; }

protected:
  ~thread_work() = default;
  thread_work(thread_wait& w, std::string name) noexcept : wait_(&w), name_(std::move(name)) {}

  void execute() noexcept override;

  /// Calls the function and stores what comes of it.
  virtual void call() = 0;

  thread_wait* wait_;
  loop* home_ = nullptr;

private:
  friend class thread_wait;

  void run() noexcept final; // on the loop: it is done

  std::shared_ptr<const void> locals_;
  std::exception_ptr error_;
  std::string name_;
  std::atomic<bool> cancelled_{false};
  bool cut_off_ = false;
};

/// Work that its task waits for to the end. Lives in the awaiter.
class attached_work : public thread_work {
protected:
  using thread_work::thread_work;
  ~attached_work() = default;

private:
  void finished() noexcept final;
  bool send(task_visit& v) noexcept final;
};

/// Work that its task may leave. Lives on its own, and answers to nobody then: the loop
/// that it came from may be gone, or wait for this thread.
class abandonable_work : public thread_work {
public:
  /// Returns false if it is done. On the loop.
  [[nodiscard]] bool abandon() noexcept;

  /// The task has what it wants, or does not want it. On the loop.
  void dispose() noexcept;

protected:
  using thread_work::thread_work;
  virtual ~abandonable_work() = default;

  /// Destroys the function, its arguments and its result.
  virtual void drop() noexcept = 0;

private:
  /// A visit is on its way: not the visit itself, which ends when the task leaves.
  class visit_message final : public inbox_node {
  public:
    explicit visit_message(abandonable_work& w) noexcept : work_(w) {}
    void run() noexcept override { work_.visit_arrives(); }

  private:
    abandonable_work& work_;
  };

  void execute() noexcept final;
  void finished() noexcept final;
  bool send(task_visit& v) noexcept final;
  void visit_arrives() noexcept;

  std::mutex mutex_;
  visit_message message_{*this};
  task_visit* visit_ = nullptr;
  bool message_under_way_ = false;
  bool abandoned_ = false;
  bool done_ = false; // the thread has let go of it
};

/// The task's side: it waits for the thread, and now and then runs a coroutine that the
/// thread has asked for (`from_thread`), as a part of itself.
class thread_wait : public suspension, private link_hook {
public:
  using troupe_awaitable = void;

  thread_wait(const thread_wait&) = delete;
  thread_wait& operator=(const thread_wait&) = delete;

  [[nodiscard]] bool await_ready() const noexcept { return false; }

  template <troupe_promise Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) {
    task_ = h.promise().task;
    if (task_->cancelled_at(h))
      return true;
    awaiting_ = &h.promise();
    begin();
    task_->wait(h, *this);
    return true;
  }

  bool withdraw() noexcept final;
  [[nodiscard]] const char* waits_for() const noexcept final { return what_.c_str(); }

  // -- for the work, on the loop
  void over() noexcept;
  void host(task_visit& v) noexcept;
  [[nodiscard]] task_block& task() const noexcept { return *task_; }

protected:
  thread_wait(bool abandonable, thread_pool* pool, bool has_limiter, const std::string& name)
    : pool_(pool), has_limiter_(has_limiter), abandonable_(abandonable),
      what_(name.empty() ? std::string("a thread") : "thread '" + name + "'") {}
  ~thread_wait() = default;

  [[nodiscard]] virtual thread_work& own_work() noexcept = 0;

  /// Leaves the work to its thread. Returns false if that must not be, or if it is done.
  virtual bool abandon() noexcept { return false; }

  void rethrow_failure() {
    if (work_->error_)
      std::rethrow_exception(std::exchange(work_->error_, {}));
  }

private:
  class visit_over final : public ready_callback {
  public:
    explicit visit_over(thread_wait& w) noexcept : wait_(w) {}
    void run() noexcept override { wait_.after_visit(); }

  private:
    thread_wait& wait_;
  };

  std::coroutine_handle<> completed(task_block& t) noexcept final;
  unwind_step unwound(task_block& t) noexcept final;
  void begin();
  /// Virtual time waits for those that the task waits for to the end.
  void outside(int delta) noexcept {
    if (!abandonable_)
      task_->home().outside(delta);
  }
  void end_visit(bool cancelled) noexcept;
  void after_visit() noexcept;

  task_block* task_ = nullptr;
  frame_promise* awaiting_ = nullptr;
  thread_work* work_ = nullptr;
  thread_pool* pool_;
  thread_place place_{};
  bool has_limiter_;
  bool abandonable_;
  std::string what_;
  task_visit* visit_ = nullptr; // runs now
  frame_link link_;             // its frame
  visit_over visit_over_{*this};
};

} // namespace troupe::detail
