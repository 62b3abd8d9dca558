// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/detail/list.hpp>
#include <troupe/detail/thread_job.hpp>
#include <troupe/thread_pool.hpp>

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace troupe::detail {

/// The threads of a pool and the jobs that wait for them.
///
/// A thread is idle from the moment its job is done, before anybody hears of that: who
/// hears of it and has the next job finds this thread.
class pool_core {
public:
  pool_core(std::size_t size, std::string name, duration keep_alive);
  pool_core(const pool_core&) = delete;
  pool_core& operator=(const pool_core&) = delete;
  ~pool_core();

  /// Not `counted`: the job runs whatever the size.
  void submit(thread_job& job, bool counted);
  [[nodiscard]] bool take_back(thread_job& job) noexcept;
  void close();

  void resize(std::size_t size);
  [[nodiscard]] std::size_t size();
  [[nodiscard]] std::size_t running();
  [[nodiscard]] std::size_t waiting();
  [[nodiscard]] std::size_t threads();

private:
  class worker;
  using lock = std::unique_lock<std::mutex>;

  // -- under the lock
  [[nodiscard]] bool may_run(const thread_job& job) const noexcept {
    return !job.counted_ || counted_ < size_;
  }
  void take(thread_job& job) noexcept;
  [[nodiscard]] thread_job* next() noexcept;
  void start_worker(thread_job& job);

  void serve(worker& self, thread_job* job);
  [[nodiscard]] bool end_if_idle(worker& self);

  const std::string name_;
  const duration keep_alive_;
  std::mutex closing_;
  std::mutex mutex_;
  list<thread_job, job_tag> queue_;
  struct idle_tag;
  list<worker, idle_tag> idle_; // the last one to become so comes first
  std::vector<std::unique_ptr<worker>> workers_;
  std::unique_ptr<worker> ended_; // the last that has ended by itself: to be joined
  std::size_t size_;
  std::size_t running_ = 0;
  std::size_t counted_ = 0; // of those that run
  std::size_t waiting_ = 0;
  std::size_t started_ = 0; // threads so far, for their names
  bool closed_ = false;
};

struct pool_access {
  static pool_core& core(thread_pool& p) noexcept { return *p.core_; }
};

} // namespace troupe::detail
