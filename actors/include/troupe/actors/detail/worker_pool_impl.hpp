// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/detail/body_value.hpp>
#include <troupe/actors/detail/worker_pool_core.hpp>
#include <troupe/actors/worker_pool.hpp>
#include <troupe/answer.hpp>
#include <troupe/awaited_function.hpp>

namespace troupe::pools {

template <class Function>
struct job_function;
template <class R, class J>
struct job_function<std::function<task<R>(J&)>> {
  using job = J;
  using result = R;
};

/// Waits for room in the queue, and puts the job there.
template <class Job, class Result>
class [[nodiscard]] submit_op {
public:
  using troupe_awaitable = void;

  submit_op(pool_core<Job, Result>& pool, Job&& job, const job_options& options)
    : pool_(pool), job_(std::move(job)), priority_(options.priority),
      deadline_(pool.end_of(options.limit)), room_(pool.room()) {}

  [[nodiscard]] bool await_ready() const noexcept { return room_.await_ready(); }
  template <class Promise>
  auto await_suspend(std::coroutine_handle<Promise> h) {
    return room_.await_suspend(h);
  }
  void await_resume() { pool_.submit(std::move(job_), priority_, deadline_, room_.await_resume()); }

private:
  pool_core<Job, Result>& pool_;
  Job job_;
  int priority_;
  time_point deadline_;
  decltype(std::declval<semaphore&>().acquire()) room_;
};

template <class Job, class Result, class Body>
task<body_value<Body, worker_pool<Job, Result>>>
run_pool(worker_pool_options options, std::function<task<Result>(Job&)> fn, Body body) {
  pool_core<Job, Result> core(options, std::move(fn));
  worker_pool<Job, Result> pool(core);
  auto run = [&core](auto& call) { return core.run(call); };
  co_return co_await value_of_body(run, body, pool);
}

} // namespace troupe::pools

namespace troupe {

template <class Job, class Result>
task<Result> worker_pool<Job, Result>::run(Job job, job_options options) {
  return options.limit == duration::max() ? core_.run_job(std::move(job), options)
                                          : core_.run_limited(std::move(job), options);
}

template <class Job, class Result>
auto worker_pool<Job, Result>::submit(Job job, job_options options) {
  return pools::submit_op<Job, Result>(core_, std::move(job), options);
}

template <class Job, class Result>
bool worker_pool<Job, Result>::try_submit(Job& job, job_options options) {
  return core_.try_submit(job, options);
}

template <class Job, class Result>
task<> worker_pool<Job, Result>::drain() {
  return core_.jobs().drain();
}

template <class Job, class Result>
receive_channel<failed_job<Job>> worker_pool<Job, Result>::dead_letters() {
  return core_.jobs().dead_letters();
}

template <class Job, class Result>
task<> worker_pool<Job, Result>::serve(mailbox& in) {
  const concurrent at_once{core_.options().queue};
  co_await in.serve(at_once, [this](Job job) { return as_answer(run(std::move(job))); });
}

template <class Job, class Result>
worker_pool_statistics worker_pool<Job, Result>::statistics() const noexcept {
  return core_.statistics();
}

template <class Function, class Body>
auto with_worker_pool(const worker_pool_options& options, Function&& fn, Body&& body) {
  check_awaited_arguments<Function, Body>();
  using kind = pools::job_function<decltype(std::function(std::forward<Function>(fn)))>;
  return pools::run_pool<typename kind::job, typename kind::result, std::decay_t<Body>>(
    options, std::forward<Function>(fn), std::forward<Body>(body));
}

} // namespace troupe
