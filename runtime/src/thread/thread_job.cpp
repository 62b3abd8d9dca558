// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/detail/remote_scope.hpp>
#include <troupe/detail/runtime.hpp>
#include <troupe/detail/simulation.hpp>
#include <troupe/detail/task_extras.hpp>
#include <troupe/detail/thread_impl.hpp>
#include <troupe/error.hpp>
#include <troupe/thread.hpp>

#include <pthread.h>

#include <array>

namespace troupe::detail {

namespace {

thread_local constinit thread_work* this_thread_work = nullptr;

/// Gives the calling thread another name for a while.
class thread_name {
public:
  explicit thread_name(const std::string& name) noexcept : set_(!name.empty()) {
    if (!set_)
      return;
    pthread_getname_np(pthread_self(), before_.data(), before_.size());
    std::array<char, 16> now{};
    name.copy(now.data(), now.size() - 1);
    pthread_setname_np(pthread_self(), now.data());
  }
  ~thread_name() {
    if (set_)
      pthread_setname_np(pthread_self(), before_.data());
  }
  thread_name(const thread_name&) = delete;
  thread_name& operator=(const thread_name&) = delete;

private:
  bool set_;
  std::array<char, 16> before_{};
};

} // namespace

// -- the thread's side ------------------------------------------------------------

thread_work* thread_work::current() noexcept { return this_thread_work; }

void thread_work::throw_cancelled() {
  throw cancelled_on_thread("troupe: the task that waits for this thread was cancelled");
}

void thread_work::execute() noexcept {
  const thread_name name(name_);
  this_thread_work = this;
  try {
    call();
  } catch (const cancelled_on_thread&) {
    error_ = std::current_exception();
    cut_off_ = true;
  } catch (...) {
    error_ = std::current_exception();
  }
  this_thread_work = nullptr;
}

bool attached_work::send(task_visit& v) noexcept {
  home_->post(v);
  return true;
}

// -- work that may be left ----------------------------------------------------------

void abandonable_work::execute() noexcept {
  thread_work::execute();
  std::unique_lock lock(mutex_);
  if (!abandoned_)
    return;
  lock.unlock();
  drop(); // here, before the thread takes another job
}

/// Its pool may outlive the loop, and the task, with all that it ends, may go on as soon as this is
/// posted.
void attached_work::finished() noexcept {
  const runtime::visitor here(home_->owner());
  home_->post(*this);
}

void abandonable_work::finished() noexcept {
  std::unique_lock lock(mutex_);
  done_ = true;
  if (!abandoned_) {
    home_->post(*this); // under the lock: after `abandon` the loop may be gone
    return;
  }
  const bool last = !message_under_way_;
  lock.unlock();
  if (last)
    delete this;
}

bool abandonable_work::abandon() noexcept {
  std::unique_lock lock(mutex_);
  if (done_)
    return false;
  abandoned_ = true;
  wait_ = nullptr;
  task_visit* v = std::exchange(visit_, nullptr);
  lock.unlock();
  if (v) // now: this loop may be about to wait for the thread
    v->answer(true);
  return true;
}

void abandonable_work::dispose() noexcept {
  std::unique_lock(mutex_).unlock(); // the thread may still be in `finished`
  delete this;
}

bool abandonable_work::send(task_visit& v) noexcept {
  const std::lock_guard lock(mutex_);
  if (abandoned_)
    return false;
  visit_ = &v;
  message_under_way_ = true;
  home_->post(message_);
  return true;
}

void abandonable_work::visit_arrives() noexcept {
  std::unique_lock lock(mutex_);
  message_under_way_ = false;
  task_visit* v = std::exchange(visit_, nullptr);
  const bool last = abandoned_ && done_;
  lock.unlock();
  if (v)
    v->arrive(wait_);
  else if (last)
    delete this;
}

void refuse_on_loop(const char* what) {
  if (loop::current())
    throw usage_error(std::string("troupe: ") + what
                      + " was called on a loop, which would wait for itself; co_await instead");
}

thread_work& require_work(const char* what) {
  refuse_on_loop(what);
  if (thread_work* w = thread_work::current())
    return *w;
  throw usage_error(std::string("troupe: ") + what
                    + " was called on a thread that works for no task; use a loop_token");
}

// -- the task's side --------------------------------------------------------------

void thread_wait::begin() {
  place_ = place_for(task_->home(), pool_, has_limiter_);
  work_ = &own_work();
  work_->home_ = &task_->home();
  if (task_->extras())
    work_->locals_ = task_->extras()->locals;
  submit(place_, *work_);
  outside(1);
}

/// The work is done, and the thread has let go of it.
void thread_work::run() noexcept { wait_->over(); }

void thread_wait::over() noexcept {
  outside(-1);
  if (work_->cut_off_ && task_->cancelled())
    task_->aborted();
  else
    task_->wake();
}

bool thread_wait::withdraw() noexcept {
  work_->cancelled_.store(true, std::memory_order_release);
  if (visit_) // it is over, and only the answer is due
    end_visit(false);
  if (!take_back(place_, *work_) && !abandon())
    return false;
  outside(-1);
  return true;
}

// -- visits -------------------------------------------------------------------------

/// The task goes on in the coroutine that the thread has asked for.
void thread_wait::host(task_visit& v) noexcept {
  try {
    auto frame = v.make().release();
    link_.child = frame;
    link_.hook = this;
    link_.join(frame.promise(), awaiting_, task_);
  } catch (...) {
    return v.answer(std::current_exception());
  }
  visit_ = &v;
  outside(-1); // the thread waits for us
  task_->schedule_resume(link_.child);
}

/// The coroutine has ended. It is destroyed a little later, not from within.
std::coroutine_handle<> thread_wait::completed(task_block& t) noexcept {
  t.wait(awaiting_->handle(), *this);
  t.home().push(visit_over_);
  return std::noop_coroutine();
}

void thread_wait::after_visit() noexcept {
  end_visit(false);
  if (task_->cancelled() && withdraw()) // came while the coroutine ran
    task_->schedule_unwind();
}

unwind_step thread_wait::unwound(task_block& t) noexcept {
  work_->cancelled_.store(true, std::memory_order_release);
  end_visit(true);
  if (abandon()) {
    outside(-1);
    return unwind_step::destroy;
  }
  t.wait(awaiting_->handle(), *this);
  return unwind_step::wait;
}

/// What the coroutine refers to may be the thread's: it is destroyed first.
void thread_wait::end_visit(bool cancelled) noexcept {
  visit_over_.unlink();
  if (link_.child)
    std::exchange(link_.child, {}).destroy();
  outside(1);
  std::exchange(visit_, nullptr)->answer(cancelled);
}

void visit::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return answered_; });
  if (cancelled_)
    thread_work::throw_cancelled();
  if (error_)
    std::rethrow_exception(std::exchange(error_, {}));
}

void visit::answer(bool cancelled) noexcept {
  const std::lock_guard lock(mutex_); // until after the call: the visit may be gone then
  cancelled_ = cancelled;
  answered_ = true;
  changed_.notify_one();
}

void visit::answer(std::exception_ptr failure) noexcept {
  error_ = std::move(failure);
  answer();
}

void task_visit::send() {
  refuse_under_simulation("from_thread");
  if (work_.cancelled() || !work_.send(*this))
    thread_work::throw_cancelled();
  wait();
}

void task_visit::arrive(thread_wait* where) noexcept {
  if (!where || where->task().cancelled())
    answer(true);
  else
    where->host(*this);
}

nursery_visit::nursery_visit(target to) : scope_(to.first.scope_), name_(std::move(to.second)) {}

void nursery_visit::send() {
  refuse_under_simulation("from_thread");
  if (!scope_->post(*this))
    throw nursery_closed("troupe: from_thread: the nursery of the loop_token has closed");
  wait();
}

void nursery_visit::run() noexcept {
  try {
    cancel_scope* scope = scope_->scope();
    if (!scope)
      throw nursery_closed("troupe: from_thread: the nursery of the loop_token has closed");
    nursery& n = *scope_access::nursery_of(*scope);
    n.start_soon(named(std::move(name_), child), static_cast<nursery_visit*>(this));
  } catch (...) {
    answer(std::current_exception());
  }
}

task<> nursery_visit::child(nursery_visit* v) {
  struct reply {
    nursery_visit& to;
    bool cancelled = true;
    ~reply() { to.answer(cancelled); }
  } r{*v};
  co_await v->make();
  r.cancelled = false;
}

} // namespace troupe::detail

namespace troupe {

void from_thread_check_cancelled() {
  const auto& work = detail::require_work("from_thread_check_cancelled");
  if (work.cancelled())
    detail::thread_work::throw_cancelled();
}

loop_token::loop_token(nursery& n) {
  detail::nursery_access::check_open(n, "a loop_token");
  scope_ = n.scope().remote().scope_;
}

} // namespace troupe
