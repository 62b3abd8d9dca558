// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/detail/job_store.hpp>
#include <troupe/actors/worker_pool_options.hpp>
#include <troupe/cancel_scope.hpp>
#include <troupe/nursery.hpp>
#include <troupe/task.hpp>
#include <troupe/task_handle.hpp>

#include <algorithm>
#include <functional>
#include <list>
#include <optional>

namespace troupe::pools {

/// What a pool is made of. Workers are services: they are there until all else has ended.
template <class Job, class Result>
class pool_core {
public:
  using entry = pool_job<Job, Result>;
  using function = std::function<task<Result>(Job&)>;

  pool_core(const worker_pool_options& options, function fn)
    : options_(options), function_(std::move(fn)), room_(options.queue) {}
  pool_core(const pool_core&) = delete;
  pool_core& operator=(const pool_core&) = delete;

  /// Runs `body()` with the workers.
  template <class Body>
  task<> run(Body& body) {
    const nursery_options named_as{.name = options_.name};
    co_await with_nursery(named_as, [&](nursery& n) -> task<> {
      nursery_ = &n;
      home_ = current_loop();
      if (options_.spread)
        jobs_.spread(loop_count(), home_);
      const closing at_the_end(*this);
      n.start_service(named(options_.name + " keeper", [this]() { return keep_workers(); }));
      while (workers_.size() < options_.workers)
        start_worker();
      co_await body();
      co_await jobs_.drain();
    });
  }

  task<Result> run_job(Job job, job_options options) {
    const time_point deadline = end_of(options.limit);
    auto room = co_await room_.acquire();
    entry& e = add(std::move(job), options.priority, deadline, std::move(room), true);
    const waiting mark(*this, e);
    co_await e.extras->done.wait();
    if (e.error)
      std::rethrow_exception(e.error);
    if constexpr (!std::is_void_v<Result>)
      co_return *std::move(e.value);
  }

  task<Result> run_limited(Job job, job_options options) {
    co_return co_await fail_after(
      options.limit, [&]() { return run_job(std::move(job), options); },
      "a job of '" + options_.name + "'");
  }

  [[nodiscard]] auto room() noexcept { return room_.acquire(); }

  void submit(Job&& job, int priority, time_point deadline, semaphore::permit&& room) {
    add(std::move(job), priority, deadline, std::move(room), false);
  }

  bool try_submit(Job& job, job_options options) {
    auto room = room_.try_acquire();
    if (!room)
      return false;
    add(std::move(job), options.priority, end_of(options.limit), std::move(room), false);
    return true;
  }

  [[nodiscard]] job_store<Job, Result>& jobs() noexcept { return jobs_; }

  [[nodiscard]] worker_pool_statistics statistics() const noexcept {
    worker_pool_statistics s = jobs_.statistics();
    s.workers = workers_.size();
    s.workers_lost = lost_;
    return s;
  }
  [[nodiscard]] const worker_pool_options& options() const noexcept { return options_; }

  /// Most have none, and do without a look at the clock.
  static time_point end_of(duration limit) noexcept {
    return limit == duration::max() ? time_point::max() : deadline_after(current_time(), limit);
  }

private:
  /// Jobs that wait for nothing, and then it is the turn of the other tasks of the loop.
  static constexpr unsigned at_once = 32;

  /// To carry a job to another loop and back costs about as much. Where they take less, another
  /// loop does without them for a while: home may be busy with a longer one then.
  static constexpr duration worth_carrying = std::chrono::nanoseconds(500);
  static constexpr duration patience = std::chrono::microseconds(200);

  struct worker {
    explicit worker(unsigned l) noexcept : loop(l) {}

    unsigned loop;
    entry* job = nullptr;
    bool leaves = false;  // by itself
    bool arrived = false; // on its loop, if that is another one
    std::optional<event> wake;
    task_handle<void> task;
    std::list<worker*> place{1, this}; // its node, when it is not in `idle_`
    typename std::list<worker*>::iterator position = place.begin();
  };
  using workers = std::list<worker>;
  using worker_ref = typename workers::iterator;

  /// Of a worker's task: whatever ends it, its job and its place are seen to.
  class life {
  public:
    life(pool_core& p, worker_ref w) noexcept : pool_(p), worker_(w) {}
    life(const life&) = delete;
    life& operator=(const life&) = delete;
    ~life() { pool_.worker_over(worker_); }

  private:
    pool_core& pool_;
    worker_ref worker_;
  };

  /// Of who waits for a result.
  class waiting {
  public:
    waiting(pool_core& p, entry& e) noexcept : pool_(p), entry_(e) {}
    waiting(const waiting&) = delete;
    waiting& operator=(const waiting&) = delete;
    ~waiting() { pool_.jobs_.leave(entry_); }

  private:
    pool_core& pool_;
    entry& entry_;
  };

  /// Of a job that is done in a scope: who does not want it any more cancels that.
  class can_be_cancelled {
  public:
    can_be_cancelled(entry& e, cancel_scope& s) noexcept : entry_(e) { e.extras->scope = &s; }
    can_be_cancelled(const can_be_cancelled&) = delete;
    can_be_cancelled& operator=(const can_be_cancelled&) = delete;
    ~can_be_cancelled() { entry_.extras->scope = nullptr; }

  private:
    entry& entry_;
  };

  /// No job is begun any more, and all workers end: together, as the nursery cancels services one
  /// after another.
  class closing {
  public:
    explicit closing(pool_core& p) noexcept : pool_(p) {}
    closing(const closing&) = delete;
    closing& operator=(const closing&) = delete;
    ~closing() { pool_.close(); }

  private:
    pool_core& pool_;
  };

  entry& add(Job&& job, int priority, time_point deadline, semaphore::permit&& room, bool wanted) {
    entry& e = jobs_.add(std::move(job), priority, deadline, std::move(room), wanted);
    need_worker();
    if (!wanted && deadline != time_point::max() && jobs_.next_due() == deadline)
      wake_keeper();
    return e;
  }

  void close() noexcept {
    closing_ = true;
    for (auto w = workers_.begin(); w != workers_.end();)
      (w++)->task.cancel("its pool has ended");
  }

  // -- workers ----------------------------------------------------------------------

  /// There is one job more.
  void need_worker() noexcept {
    if (!idle_.empty() || workers_.size() < most_workers_)
      find_worker();
  }
  [[gnu::noinline]] void find_worker() noexcept {
    if (idle_.empty())
      return wake_keeper(); // who can wait for memory
    worker& w = *idle_.front();
    w.place.splice(w.place.end(), idle_, w.position);
    w.wake->set();
  }

  void start_worker() {
    workers_.emplace_back(options_.spread ? next_loop_++ % loop_count() : home_);
    const worker_ref w = std::prev(workers_.end());
    try {
      w->task =
        nursery_->start_service(named(options_.name + " worker", [this, w]() { return work(w); }));
    } catch (...) {
      workers_.erase(w);
      throw;
    }
    ++fresh_;
  }

  /// Starts workers where some are missing, and jobs that are to be tried again.
  task<> keep_workers() {
    for (;;) {
      if (failure_)
        std::rethrow_exception(failure_);
      jobs_.expire_due();
      for (std::size_t n = jobs_.requeue_due(); n != 0; --n)
        need_worker();
      while (!closing_
             && (workers_.size() < options_.workers
                 || (workers_.size() < most_workers_ && idle_.empty() && jobs_.queued() > fresh_)))
        start_worker();
      keeper_work_.emplace();
      co_await move_on_at(jobs_.next_due(), [this]() -> task<> { co_await keeper_work_->wait(); });
    }
  }

  void wake_keeper() noexcept {
    if (keeper_work_)
      keeper_work_->set();
  }

  task<> work(worker_ref w) {
    const life mark(*this, w);
    --fresh_;
    for (;;) {
      const bool goes_on = co_await do_jobs(*w);
      if (!goes_on)
        co_return;
      const bool extra = workers_.size() > options_.workers;
      w->wake.emplace();
      idle_.splice(idle_.begin(), w->place);
      bool woken = true;
      if (extra)
        woken = co_await move_on_after(options_.idle_limit,
                                       [&]() -> task<> { co_await w->wake->wait(); });
      else
        co_await w->wake->wait();
      if (w->place.empty())
        w->place.splice(w->place.end(), idle_, w->position);
      if (!woken && jobs_.queued() == 0 && workers_.size() > options_.workers) {
        w->leaves = true;
        co_return;
      }
    }
  }

  /// As long as there are some. Gives false if the worker is lost, and leaves its job with it.
  task<bool> do_jobs(worker& w) { return w.loop == home_ ? do_jobs_here(w) : do_jobs_there(w); }

  task<bool> do_jobs_here(worker& w) {
    unsigned done = 0; // perhaps without a checkpoint
    while (entry* const e = closing_ ? nullptr : jobs_.take()) {
      if (!e->plain) {
        const bool goes_on = co_await perform_limited(w, *e);
        if (!goes_on)
          co_return false;
        continue;
      }
      begin(w, *e);
      std::exception_ptr error;
      try {
        co_await attempt(function_, *e);
      } catch (...) {
        error = std::current_exception();
      }
      end(w, *e, error);
      if (++done % at_once == 0)
        co_await checkpoint();
    }
    co_return true;
  }

  task<bool> do_jobs_there(worker& w) {
    bool goes_on = true;
    while (goes_on && !closing_) {
      if (jobs_.any_exposed()) {
        goes_on = co_await visit(w);
        continue;
      }
      entry* const e = jobs_.take_unexposed();
      if (!e)
        break;
      goes_on = co_await perform_limited(w, *e);
    }
    co_return goes_on;
  }

  /// One that may be cancelled, or has a deadline.
  task<bool> perform_limited(worker& w, entry& e) {
    const bool limited = e.deadline != time_point::max();
    if (limited && e.deadline <= current_time()) {
      static_cast<void>(jobs_.finish(e, nullptr));
      co_return true;
    }
    begin(w, e);
    bool returned = false;
    std::exception_ptr error;
    try {
      co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
        const can_be_cancelled now(e, s);
        if (limited)
          s.deadline(e.deadline);
        co_await call(w, e);
        returned = true;
      });
    } catch (...) {
      error = std::current_exception();
    }
    if (returned && !e.value)
      co_return false; // its task on another loop was cancelled there
    end(w, e, error);
    co_return true;
  }

  void begin(worker& w, entry& e) noexcept {
    w.job = &e;
    ++e.attempts;
  }

  void end(worker& w, entry& e, const std::exception_ptr& error) noexcept {
    w.job = nullptr;
    try {
      if (jobs_.finish(e, error))
        wake_keeper();
    } catch (...) {
      fail();
    }
  }

  /// With what the policy throws, or for want of memory: once, by the keeper.
  void fail() noexcept {
    if (!failure_)
      failure_ = std::current_exception();
    wake_keeper();
  }

  task<> call(worker& w, entry& e) {
    return w.loop == home_ ? call_here(function_, e) : call_on(w.loop, e);
  }

  task<> call_on(unsigned loop, entry& e) {
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_on(loop, named("job", &call_here), std::cref(function_), std::ref(e));
      co_return;
    });
  }

  /// To the worker's loop, where it takes what is exposed, as long as there is some.
  task<bool> visit(worker& w) {
    std::exception_ptr error;
    w.arrived = false;
    try {
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_on(w.loop, named("jobs", &do_exposed), std::ref(*this), std::ref(w));
        co_return;
      });
    } catch (...) {
      error = std::current_exception();
    }
    see_to_ended();
    if (error && w.arrived)
      std::rethrow_exception(error);
    if (error) // there was no memory to go there
      if (entry* const e = jobs_.take()) {
        begin(w, *e);
        end(w, *e, error);
      }
    co_return !w.job;
  }

  static task<> do_exposed(pool_core& pool, worker& w) {
    co_await with_nursery([&](nursery& n) -> task<> {
      w.arrived = true;
      auto& exchange = *pool.jobs_.exchange();
      time_point since = current_time();
      unsigned done = 0; // since then
      for (;;) {
        w.job = exchange.take_mine(w.loop);
        if (!w.job) {
          const duration taken = current_time() - since;
          if (taken < done * worth_carrying && taken != duration(0) && exchange.any())
            co_await sleep_for(patience); // home is as quick alone
          else
            co_await checkpoint();
          bool news = false;
          w.job = exchange.take_elsewhere(w.loop, news);
          if (news)
            pool.tell(n);
          since = current_time();
          done = 0;
        }
        if (!w.job)
          break;
        entry& e = *w.job;
        ++e.attempts;
        try {
          co_await attempt(pool.function_, e);
        } catch (...) {
          e.error = std::current_exception();
        }
        w.job = nullptr;
        if (exchange.over(e))
          pool.tell(n);
        ++done;
      }
    });
  }

  /// Home hears of what has been begun and has ended there, some at a time.
  void tell(nursery& there) {
    try {
      there.start_on(home_, named("news of jobs", &hear), std::ref(*this));
    } catch (const std::bad_alloc&) {
      jobs_.exchange()->not_told(); // but later
    }
  }
  static task<> hear(pool_core& pool) {
    pool.see_to_ended();
    co_return;
  }

  void see_to_ended() noexcept {
    try {
      if (jobs_.collect())
        wake_keeper();
      for (std::size_t n = jobs_.queued(); n != 0 && !idle_.empty(); --n)
        need_worker();
    } catch (...) {
      fail();
    }
  }

  static task<> call_here(const function& fn, entry& e) { co_await attempt(fn, e); }

  void again(entry& e) noexcept {
    jobs_.requeue(e, true);
    need_worker();
  }

  void worker_over(worker_ref w) noexcept {
    if (w->place.empty())
      w->place.splice(w->place.end(), idle_, w->position);
    see_to_ended();
    entry* const job = w->job;
    const bool lost = !w->leaves && !closing_;
    workers_.erase(w);
    if (lost)
      ++lost_;
    if (job) {
      if (job->discarded || closing_)
        jobs_.forget(*job);
      else if (options_.lost == delivery::at_least_once && job->losses++ < options_.max_losses)
        again(*job);
      else
        jobs_.fail_lost(*job);
    }
    if (lost)
      wake_keeper();
  }

  const worker_pool_options options_;
  const std::size_t most_workers_ = std::max(options_.workers, options_.max_workers);
  const function function_;
  nursery* nursery_ = nullptr;
  semaphore room_; // in the queue, of `jobs_`
  job_store<Job, Result> jobs_{options_};
  workers workers_;
  std::list<worker*> idle_; // the last one to become so comes first
  std::optional<event> keeper_work_;
  std::size_t fresh_ = 0; // workers that have not begun
  std::uint64_t lost_ = 0;
  unsigned next_loop_ = 0;
  unsigned home_ = 0;
  std::exception_ptr failure_; // of seeing to jobs
  bool closing_ = false;
};

} // namespace troupe::pools
