// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/worker_pool.hpp>
#include <troupe/cancel_scope.hpp>
#include <troupe/error.hpp>
#include <troupe/event.hpp>
#include <troupe/exception_group.hpp>
#include <troupe/nursery.hpp>
#include <troupe/outcome.hpp>
#include <troupe/semaphore.hpp>
#include <troupe/time.hpp>

#include <algorithm>
#include <cstdio>
#include <list>
#include <map>
#include <memory>

namespace troupe::pools {

/// A job, from its being handed over to its end. It moves from one list to another as it goes on;
/// its address stays.
template <class Job, class Result>
struct pool_job {
  pool_job(Job&& j, const job_options& o, semaphore::permit r)
    : job(std::move(j)), priority(o.priority),
      deadline(o.limit > time_point::max() - current_time() ? time_point::max()
                                                            : current_time() + o.limit),
      room(std::move(r)) {}

  Job job;
  int priority;
  time_point deadline;
  time_point due = {}; // to be tried again
  std::size_t attempts = 0;
  std::optional<result_value<Result>> value;
  std::exception_ptr error;
  event done;                    // for the one who wants the result
  bool wanted = false;           // by somebody who waits
  bool discarded = false;        // he has gone
  cancel_scope* scope = nullptr; // while it is done
  semaphore::permit room;        // in the queue
  std::optional<backoff> delays;
  std::list<pool_job>* place = nullptr;
  typename std::list<pool_job>::iterator self;
};

/// What a pool is made of. Workers are services: they are there until all else has ended.
template <class Job, class Result>
class pool_core {
public:
  using entry = pool_job<Job, Result>;
  using function = std::function<task<Result>(Job&)>;

  pool_core(const worker_pool_options& options, function fn)
    : options_(options), function_(std::move(fn)), room_(options.queue),
      letters_(make_channel<failed_job<Job>>(options.dead_letters)) {}
  pool_core(const pool_core&) = delete;
  pool_core& operator=(const pool_core&) = delete;

  /// Runs `body()` with the workers.
  template <class Body>
  task<> run(Body& body) {
    const nursery_options named_as{.name = options_.name};
    co_await with_nursery(named_as, [&](nursery& n) -> task<> {
      nursery_ = &n;
      const closing at_the_end(*this);
      n.start_service(named(options_.name + " keeper", [this]() { return keep_workers(); }));
      while (workers_.size() < options_.workers)
        start_worker();
      co_await body();
      co_await drain();
    });
  }

  task<Result> run_job(Job& job, job_options options) {
    auto room = co_await room_.acquire();
    entry& e = add(std::move(job), options, std::move(room));
    e.wanted = true;
    const waiting mark(*this, e);
    co_await e.done.wait();
    if (e.error)
      std::rethrow_exception(e.error);
    if constexpr (!std::is_void_v<Result>)
      co_return *std::move(e.value);
  }

  task<> submit(Job& job, job_options options) {
    auto room = co_await room_.acquire();
    add(std::move(job), options, std::move(room));
  }

  bool try_submit(Job& job, job_options options) {
    auto room = room_.try_acquire();
    if (!room)
      return false;
    add(std::move(job), options, std::move(room));
    return true;
  }

  task<> drain() {
    co_await checkpoint();
    while (!nothing_to_do()) {
      if (!drained_)
        drained_ = std::make_shared<event>();
      const auto until = drained_;
      co_await until->wait();
    }
  }

  receive_channel<failed_job<Job>> dead_letters() {
    letters_wanted_ = true;
    return letters_.rx.clone();
  }

  [[nodiscard]] worker_pool_statistics statistics() const noexcept {
    worker_pool_statistics s = counted_;
    s.workers = workers_.size();
    s.busy = running_.size();
    s.queued = queued_count_;
    s.delayed = delayed_.size();
    return s;
  }
  [[nodiscard]] const worker_pool_options& options() const noexcept { return options_; }

private:
  using entries = std::list<entry>;

  struct worker {
    unsigned loop = 0;
    entry* job = nullptr;
    bool leaves = false; // by itself
    std::optional<event> wake;
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
    ~waiting() { pool_.leave(entry_); }

  private:
    pool_core& pool_;
    entry& entry_;
  };

  /// Workers that end from now on are not replaced.
  class closing {
  public:
    explicit closing(pool_core& p) noexcept : pool_(p) {}
    closing(const closing&) = delete;
    closing& operator=(const closing&) = delete;
    ~closing() { pool_.closing_ = true; }

  private:
    pool_core& pool_;
  };

  // -- jobs -------------------------------------------------------------------------

  entry& add(Job&& job, const job_options& options, semaphore::permit room) {
    entries& queue = queued_[options.priority];
    entry& e = queue.emplace_back(std::move(job), options, std::move(room));
    e.place = &queue;
    e.self = std::prev(queue.end());
    if (options_.retry)
      e.delays.emplace(*options_.retry);
    ++queued_count_;
    need_worker();
    return e;
  }

  void move_to(entries& to, entry& e, bool in_front = false) noexcept {
    to.splice(in_front ? to.begin() : to.end(), *e.place, e.self);
    e.place = &to;
  }

  /// Again.
  void queue(entry& e, bool in_front) noexcept {
    move_to(queued_.find(e.priority)->second, e, in_front);
    ++queued_count_;
    need_worker();
  }

  [[nodiscard]] entry* take() noexcept {
    if (queued_count_ == 0)
      return nullptr;
    for (auto& [priority, waiting_ones] : queued_)
      if (!waiting_ones.empty()) {
        entry& e = waiting_ones.front();
        --queued_count_;
        move_to(running_, e);
        e.room.release();
        return &e;
      }
    return nullptr;
  }

  void forget(entry& e) noexcept {
    if (is_queued(e))
      --queued_count_;
    e.place->erase(e.self);
    if (drained_ && nothing_to_do())
      std::exchange(drained_, nullptr)->set();
  }

  [[nodiscard]] bool is_queued(const entry& e) const noexcept {
    return e.place != &running_ && e.place != &delayed_ && e.place != &over_;
  }

  [[nodiscard]] bool nothing_to_do() const noexcept {
    return queued_count_ == 0 && running_.empty() && delayed_.empty();
  }

  /// Nobody waits for it any more.
  void leave(entry& e) noexcept {
    if (e.place != &running_)
      return forget(e);
    e.wanted = false;
    e.discarded = true;
    if (e.scope)
      e.scope->cancel("nobody waits for the job any more");
  }

  /// Has its value or its error.
  void settle(entry& e) {
    if (!e.wanted)
      return forget(e);
    move_to(over_, e);
    e.done.set();
    if (drained_ && nothing_to_do())
      std::exchange(drained_, nullptr)->set();
  }

  void finish(entry& e, bool completed, std::exception_ptr error) {
    if (completed) {
      ++counted_.done;
      return settle(e);
    }
    if (e.discarded)
      return forget(e);
    if (!error)
      error = std::make_exception_ptr(
        timeout_error("troupe: a job of '" + options_.name + "' was not done in its time"));
    else if (try_again(e, error))
      return;
    fail(e, std::move(error));
  }

  [[nodiscard]] bool try_again(entry& e, const std::exception_ptr& error) {
    if (!options_.retry || !options_.retry->retries(error))
      return false;
    const auto delay = e.delays->next();
    const time_point now = current_time();
    if (!delay || *delay >= e.deadline - now)
      return false;
    ++counted_.retried;
    if (options_.retry->on_retry)
      options_.retry->on_retry(error, *delay);
    e.due = now + *delay;
    const auto later = std::find_if(delayed_.begin(), delayed_.end(),
                                    [&e](const entry& other) { return other.due > e.due; });
    delayed_.splice(later, *e.place, e.self);
    e.place = &delayed_;
    wake_keeper();
    return true;
  }

  void fail(entry& e, std::exception_ptr error) {
    ++counted_.failed;
    e.error = std::move(error);
    if (!e.wanted)
      bury(e);
    settle(e);
  }

  void bury(entry& e) {
    if (!letters_wanted_)
      std::fprintf(stderr, "troupe: a job of '%s' has failed: %s\n", options_.name.c_str(),
                   describe(e.error).c_str());
    failed_job<Job> letter{std::move(e.job), e.error, e.attempts};
    if (!letters_.tx.try_send(std::move(letter)))
      ++counted_.letters_dropped;
  }

  // -- workers ----------------------------------------------------------------------

  [[nodiscard]] std::size_t most_workers() const noexcept {
    return std::max(options_.workers, options_.max_workers);
  }

  /// There is one job more.
  void need_worker() noexcept {
    if (!idle_.empty()) {
      worker& w = *idle_.front();
      w.place.splice(w.place.end(), idle_, w.position);
      w.wake->set();
    } else if (workers_.size() < most_workers())
      wake_keeper(); // which can wait for memory
  }

  void start_worker() {
    workers_.emplace_back();
    const worker_ref w = std::prev(workers_.end());
    w->loop = options_.spread ? next_loop_++ : 0;
    try {
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
      const time_point now = current_time();
      while (!delayed_.empty() && delayed_.front().due <= now)
        queue(delayed_.front(), false);
      while (workers_.size() < options_.workers
             || (workers_.size() < most_workers() && idle_.empty() && queued_count_ > fresh_))
        start_worker();
      keeper_work_.emplace();
      const time_point until = delayed_.empty() ? time_point::max() : delayed_.front().due;
      co_await move_on_at(until, [this]() -> task<> { co_await keeper_work_->wait(); });
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
      while (entry* e = take())
        co_await perform(*w, *e);
      const bool extra = workers_.size() > options_.workers;
      w->wake.emplace();
      idle_.splice(idle_.begin(), w->place);
      const duration patience = extra ? options_.idle_limit : duration::max();
      const bool woken =
        co_await move_on_after(patience, [&]() -> task<> { co_await w->wake->wait(); });
      if (w->place.empty())
        w->place.splice(w->place.end(), idle_, w->position);
      if (!woken && queued_count_ == 0 && workers_.size() > options_.workers) {
        w->leaves = true;
        co_return;
      }
    }
  }

  task<> perform(worker& w, entry& e) {
    if (e.deadline <= current_time()) {
      finish(e, false, nullptr);
      co_return;
    }
    w.job = &e;
    ++e.attempts;
    bool completed = false;
    std::exception_ptr error;
    try {
      co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
        e.scope = &s;
        if (e.deadline != time_point::max())
          s.deadline(e.deadline);
        co_await call(w, e);
        completed = true;
      });
    } catch (...) {
      error = std::current_exception();
    }
    e.scope = nullptr;
    w.job = nullptr;
    finish(e, completed, std::move(error));
  }

  task<> call(worker& w, entry& e) {
    if (!options_.spread) {
      co_await call_here(function_, e);
      co_return;
    }
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_on(w.loop, named("job", &call_here), function_, std::ref(e));
      co_return;
    });
  }

  static task<> call_here(function fn, entry& e) {
    if constexpr (std::is_void_v<Result>) {
      co_await fn(e.job);
      e.value.emplace();
    } else
      e.value.emplace(co_await fn(e.job));
  }

  void worker_over(worker_ref w) noexcept {
    if (w->place.empty())
      w->place.splice(w->place.end(), idle_, w->position);
    entry* const job = w->job;
    const bool lost = !w->leaves && !closing_;
    workers_.erase(w);
    if (lost)
      ++counted_.workers_lost;
    if (job) {
      job->scope = nullptr;
      if (job->discarded || closing_)
        forget(*job);
      else if (options_.lost == delivery::at_least_once)
        queue(*job, true);
      else
        fail_lost(*job);
    }
    if (lost)
      wake_keeper();
  }

  void fail_lost(entry& e) noexcept {
    try {
      fail(e, std::make_exception_ptr(
                worker_lost("troupe: the worker of a job of '" + options_.name + "' was lost")));
    } catch (...) { // no memory to say more
      e.error = std::current_exception();
      settle(e);
    }
  }

  const worker_pool_options options_;
  const function function_;
  nursery* nursery_ = nullptr;
  std::map<int, entries, std::greater<>> queued_;
  entries running_, delayed_, over_;
  workers workers_;
  std::list<worker*> idle_; // the last one to become so comes first
  semaphore room_;
  channel_ends<failed_job<Job>> letters_;
  std::optional<event> keeper_work_;
  std::shared_ptr<event> drained_;
  std::size_t queued_count_ = 0;
  std::size_t fresh_ = 0; // workers that have not begun
  unsigned next_loop_ = 0;
  bool letters_wanted_ = false;
  bool closing_ = false;
  worker_pool_statistics counted_{};
};

template <class Function>
struct job_function;
template <class R, class J>
struct job_function<std::function<task<R>(J&)>> {
  using job = J;
  using result = R;
};

template <class Job, class Result, class Body>
task<typename std::invoke_result_t<Body&, worker_pool<Job, Result>&>::value_type>
run_pool(worker_pool_options options, std::function<task<Result>(Job&)> fn, Body body) {
  using value = typename std::invoke_result_t<Body&, worker_pool<Job, Result>&>::value_type;
  pool_core<Job, Result> core(options, std::move(fn));
  worker_pool<Job, Result> pool(core);
  if constexpr (std::is_void_v<value>) {
    auto call = [&]() { return std::invoke(body, pool); };
    co_await core.run(call);
  } else {
    std::optional<value> result;
    auto call = [&]() -> task<> { result.emplace(co_await std::invoke(body, pool)); };
    co_await core.run(call);
    co_return *std::move(result);
  }
}

} // namespace troupe::pools

namespace troupe {

template <class Job, class Result>
task<Result> worker_pool<Job, Result>::run(Job job, job_options options) {
  if (options.limit == duration::max())
    co_return co_await core_.run_job(job, options);
  co_return co_await fail_after(
    options.limit, [&]() { return core_.run_job(job, options); },
    "a job of '" + core_.options().name + "'");
}

template <class Job, class Result>
task<> worker_pool<Job, Result>::submit(Job job, job_options options) {
  co_await core_.submit(job, options);
}

template <class Job, class Result>
bool worker_pool<Job, Result>::try_submit(Job& job, job_options options) {
  return core_.try_submit(job, options);
}

template <class Job, class Result>
task<> worker_pool<Job, Result>::drain() {
  return core_.drain();
}

template <class Job, class Result>
receive_channel<failed_job<Job>> worker_pool<Job, Result>::dead_letters() {
  return core_.dead_letters();
}

template <class Job, class Result>
task<> worker_pool<Job, Result>::serve(mailbox& in) {
  const concurrent at_once{core_.options().queue};
  co_await in.serve(at_once, [this](Job job) { return run(std::move(job)); });
}

template <class Job, class Result>
worker_pool_statistics worker_pool<Job, Result>::statistics() const noexcept {
  return core_.statistics();
}

template <class Function, class Body>
auto with_worker_pool(const worker_pool_options& options, Function&& fn, Body&& body) {
  detail::check_awaited_arguments<Function, Body>();
  using kind = pools::job_function<decltype(std::function(std::forward<Function>(fn)))>;
  return pools::run_pool<typename kind::job, typename kind::result, std::decay_t<Body>>(
    options, std::forward<Function>(fn), std::forward<Body>(body));
}

} // namespace troupe
