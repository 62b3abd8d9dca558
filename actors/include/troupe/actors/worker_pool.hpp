// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/channel.hpp>
#include <troupe/mailbox.hpp>
#include <troupe/retry.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace troupe {

/// What becomes of a job whose worker is lost in the middle of it.
enum class delivery {
  at_least_once, ///< another worker does it from the beginning
  at_most_once,  ///< it has failed, with `worker_lost`
};

/// How a worker pool works. Give a variable: g++ 12 destroys braced temporaries in an await twice.
struct worker_pool_options {
  std::string name = "worker pool";               ///< for messages and the task tree
  std::size_t workers = 4;                        ///< so many at least
  std::size_t max_workers = 0;                    ///< while jobs wait; 0: no more than `workers`
  duration idle_limit = std::chrono::seconds(30); ///< after this without a job, a worker beyond
                                                  ///< `workers` goes
  std::size_t queue = 1000;                       ///< so many jobs wait; who has more waits, too
  bool spread = false;                            ///< workers on all loops: the function is called
                                                  ///< there, and several at a time
  delivery lost = delivery::at_least_once;        ///< see there
  std::optional<retry_policy> retry = std::nullopt; ///< which failures are tried again, and when
  std::size_t dead_letters = 1000;                  ///< so many are kept until somebody takes them
};

/// How one job is done.
struct job_options {
  int priority = 0;                 ///< higher ones are begun first; of the same, the older one
  duration limit = duration::max(); ///< from now until it is done; then `timeout_error`
};

/// A job that nobody waits for has failed for good.
template <class Job>
struct failed_job {
  Job job;
  std::exception_ptr error;
  std::size_t attempts;
};

struct worker_pool_statistics {
  std::size_t workers;  ///< there are now
  std::size_t busy;     ///< of these, have a job
  std::size_t queued;   ///< jobs that wait for a worker
  std::size_t delayed;  ///< jobs that wait to be tried again
  std::uint64_t done;   ///< jobs that have succeeded
  std::uint64_t failed; ///< for good
  std::uint64_t retried;
  std::uint64_t workers_lost;
  std::uint64_t letters_dropped; ///< dead letters that there was no room for
};

/// The worker has ended in the middle of the job.
class worker_lost : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

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

  /// Hands `job` over; waits while the queue is full. A failure goes to the dead letters. A
  /// checkpoint; cancelled, nothing was handed over.
  [[nodiscard]] task<> submit(Job job, job_options options = {});

  /// As `submit`, if the queue is not full; `job` is moved from only then. Not a checkpoint.
  [[nodiscard]] bool try_submit(Job& job, job_options options = {});

  /// Waits until nothing is left to do. A checkpoint.
  [[nodiscard]] task<> drain();

  /// The jobs that nobody waits for and that have failed for good. If nobody takes them, each is
  /// written to stderr as well. One reader at a time.
  [[nodiscard]] receive_channel<failed_job<Job>> dead_letters();

  /// Does the jobs that come as messages, and answers with the result. A checkpoint.
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
