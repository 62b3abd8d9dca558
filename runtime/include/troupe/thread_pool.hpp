// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string_view>

namespace troupe {

namespace detail {
class pool_core;
struct pool_access;
} // namespace detail

/// How a `thread_pool` is set up.
struct thread_pool_options {
  std::string_view name = "pool";                ///< of its threads, with a number behind; copied
  duration keep_alive = std::chrono::seconds(5); ///< how long a thread waits for its next job
};

/// Threads for calls that block or compute for long: see `to_thread`.
///
/// A thread is made when a job finds none idle, serves one job after another, the one
/// that has waited shortest first, and ends when it had nothing to do for `keep_alive`.
/// When `size` jobs run, further ones wait in a queue, first in, first out.
///
/// All members are for any thread; tasks of all loops, and of several `run`s, may use
/// one pool.
class thread_pool {
public:
  /// A pool for `size` jobs at a time. Makes no thread yet. Throws
  /// `std::invalid_argument` if `size` is 0.
  explicit thread_pool(std::size_t size, thread_pool_options options = {});

  /// `close()`. A pool belongs to a scope: when that ends, the tasks that have used it
  /// have ended, and so have their jobs, except those that were abandoned.
  ~thread_pool();

  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;

  /// How many jobs run at the same time at most.
  [[nodiscard]] std::size_t size() const;
  /// Changes it. Jobs that run beyond the new size go on. Throws
  /// `std::invalid_argument` if it is 0.
  void size(std::size_t jobs);

  [[nodiscard]] std::size_t running() const; ///< jobs that run
  [[nodiscard]] std::size_t waiting() const; ///< jobs that wait for a thread
  [[nodiscard]] std::size_t threads() const; ///< threads there are, idle ones included

  /// Takes no more jobs (`to_thread` throws `usage_error`), waits until those that it
  /// has are done, and ends the threads. Idempotent. Blocks the calling thread: a task
  /// whose pool may still have abandoned jobs closes it on a thread of another one. Throws
  /// `usage_error` on a thread of the pool itself.
  void close();

private:
  friend struct detail::pool_access;
  std::unique_ptr<detail::pool_core> core_;
};

/// The pool of this `run` for what blocks: where `to_thread` runs what is given no other
/// place. 40 jobs at a time, if its size is not changed. Throws `usage_error` outside of
/// a task.
[[nodiscard]] thread_pool& default_thread_pool();

/// The pool of this `run` for what computes: as many jobs at a time as the machine has
/// cores. Throws `usage_error` outside of a task.
[[nodiscard]] thread_pool& cpu_pool();

} // namespace troupe
