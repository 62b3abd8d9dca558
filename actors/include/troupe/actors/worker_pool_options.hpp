// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/retry.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>

namespace troupe {

/// What becomes of a job whose worker is lost in the middle of it.
enum class delivery {
  at_least_once, ///< another worker does it from the beginning, `max_losses` times at the most
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
  std::size_t max_losses = 20; ///< a job that has lost more workers has failed, with `worker_lost`
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

} // namespace troupe
