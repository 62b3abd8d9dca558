// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/worker_pool_options.hpp>
#include <troupe/channel.hpp>
#include <troupe/mailbox.hpp>
#include <troupe/task.hpp>

#include <functional>
#include <utility>

namespace troupe {

namespace pools {
template <class Job, class Result>
class pool_core;
} // namespace pools

/// Workers that share a queue of jobs: each job is a call of the pool's function,
/// `task<Result>(Job&)`. The job itself stays in the pool until it is done, so that nothing is lost
/// when a worker is.
///
/// All members are for the loop of the pool. See `with_worker_pool`.
template <class Job, class Result = void>
class worker_pool {
public:
  using function = std::function<task<Result>(Job&)>;

  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;

  /// Does `job` and gives its result; waits while the queue is full. Throws what the function
  /// throws, `timeout_error` after `options.limit`, `worker_lost`. A checkpoint; cancelled, the job
  /// is taken out of the queue, or cancelled when it has begun.
  [[nodiscard]] task<Result> run(Job job, job_options options = {});

  /// Hands `job` over; waits while the queue is full. A failure goes to the dead letters. To be
  /// awaited where it is called, as a channel's `send`. A checkpoint; cancelled, nothing was handed
  /// over.
  [[nodiscard]] auto submit(Job job, job_options options = {});

  /// As `submit`, if the queue is not full; `job` is moved from only then. Not a checkpoint.
  [[nodiscard]] bool try_submit(Job& job, job_options options = {});

  /// Waits until nothing is left to do. A checkpoint.
  [[nodiscard]] task<> drain();

  /// The jobs that nobody waits for and that have failed for good. If nobody takes them, each is
  /// written to stderr as well. One reader at a time.
  [[nodiscard]] receive_channel<failed_job<Job>> dead_letters();

  /// Does the jobs that come as messages, and answers with the result, or with an error if the job
  /// has failed. A checkpoint.
  [[nodiscard]] task<> serve(mailbox& in);

  [[nodiscard]] worker_pool_statistics statistics() const noexcept;

  /// For `with_worker_pool`.
  explicit worker_pool(pools::pool_core<Job, Result>& core) noexcept : core_(core) {}

private:
  pools::pool_core<Job, Result>& core_;
};

/// Runs `body(pool)`, a coroutine, with a pool whose workers call `fn`, a coroutine
/// `task<Result>(Job&)`; returns when the body has ended and all jobs are done. Gives the body's
/// value.
///
///     worker_pool_options options;
///     co_await with_worker_pool(options, resize_picture, [&](worker_pool<picture>& pool) -> task<>
///     {
///       co_await pool.submit(picture("a.png"));
///       use(co_await pool.run(picture("b.png")));
///     });
///
/// Cancelled, it cancels the jobs. A checkpoint.
template <class Function, class Body>
[[nodiscard]] auto with_worker_pool(const worker_pool_options& options, Function&& fn, Body&& body);

} // namespace troupe

#include <troupe/actors/detail/worker_pool_impl.hpp>
