// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/detail/job_ring.hpp>
#include <troupe/cancel_scope.hpp>
#include <troupe/event.hpp>
#include <troupe/outcome.hpp>
#include <troupe/retry.hpp>
#include <troupe/semaphore.hpp>
#include <troupe/task.hpp>
#include <troupe/time.hpp>

#include <boost/intrusive/list.hpp>

#include <coroutine>
#include <cstddef>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

namespace troupe::pools {

/// What most jobs have no need of.
template <class Entry>
struct job_extras {
  [[gnu::noinline]] ~job_extras() = default; // out of the way of those that have none

  event done;                    // for the one who wants the result
  cancel_scope* scope = nullptr; // while it is done
  time_point due = {};           // to be tried again
  std::optional<backoff> delays;
  std::optional<typename std::multimap<time_point, Entry*>::iterator> expiry; // of its limit
};

template <class Job, class Result>
struct pool_job;

/// What a worker on another loop touches: a line of the cache to itself, for these have to travel.
template <class Job, class Result>
struct alignas(cache_line) job_at_work {
  explicit job_at_work(Job&& j) : job(std::move(j)) {}

  Job job;
  std::optional<result_value<Result>> value;
  std::exception_ptr error;
  std::size_t attempts = 0;
  pool_job<Job, Result>* next_over = nullptr;
};

/// A job, from its being handed over to its end. It moves from one list to another as it goes on;
/// its address stays.
template <class Job, class Result>
struct pool_job
  : job_at_work<Job, Result>,
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::normal_link>> {
  using list = boost::intrusive::list<pool_job>;

  pool_job(Job&& j, int p, time_point d, semaphore::permit&& r, bool is_wanted)
    : job_at_work<Job, Result>(std::move(j)), plain(!is_wanted && d == time_point::max()),
      wanted(is_wanted), priority(p), deadline(d), room(std::move(r)) {}

  const bool plain;       // nothing ends it before its time but its worker's end
  bool wanted;            // by somebody who waits
  bool discarded = false; // he has gone
  int priority;
  time_point deadline;
  semaphore::permit room; // in the queue
  list* place = nullptr;
  std::size_t losses = 0; // of the attempts, so many have cost their worker
  std::unique_ptr<job_extras<pool_job>> extras;
};

/// Awaits a call of the pool's function for a job, and leaves the value there: without a frame of
/// its own.
template <class Job, class Result>
class attempt {
public:
  using troupe_awaitable = void;

  attempt(const std::function<task<Result>(Job&)>& fn, pool_job<Job, Result>& e)
    : job_(e), call_(fn(e.job).operator co_await()) {}

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class Promise>
  auto await_suspend(std::coroutine_handle<Promise> h) noexcept {
    return call_.await_suspend(h);
  }
  void await_resume() {
    if constexpr (std::is_void_v<Result>) {
      call_.await_resume();
      job_.value.emplace();
    } else
      job_.value.emplace(call_.await_resume());
  }

private:
  pool_job<Job, Result>& job_;
  decltype(std::declval<task<Result>>().operator co_await()) call_;
};

/// Memory for things of one type: what was given back last is taken next.
template <class T>
class spare_blocks {
public:
  spare_blocks() = default;
  spare_blocks(const spare_blocks&) = delete;
  spare_blocks& operator=(const spare_blocks&) = delete;
  ~spare_blocks() {
    while (first_)
      drop(std::exchange(first_, first_->next));
  }

  [[nodiscard]] void* take() {
    if (!first_) [[unlikely]]
      return ::operator new(sizeof(T), alignment);
    --count_;
    return std::exchange(first_, first_->next);
  }

  void give(void* block) noexcept {
    if (count_ == most) [[unlikely]]
      return drop(block);
    ++count_;
    first_ = new (block) spare{first_};
  }

private:
  struct spare {
    spare* next;
  };
  static constexpr std::align_val_t alignment{alignof(T)};
  static constexpr std::size_t most = 4096;

  static void drop(void* block) noexcept { ::operator delete(block, alignment); }

  spare* first_ = nullptr;
  std::size_t count_ = 0;
};

} // namespace troupe::pools
