// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/worker_pool_options.hpp>
#include <troupe/cancel_scope.hpp>
#include <troupe/channel.hpp>
#include <troupe/error.hpp>
#include <troupe/event.hpp>
#include <troupe/exception_group.hpp>
#include <troupe/outcome.hpp>
#include <troupe/semaphore.hpp>
#include <troupe/time.hpp>

#include <algorithm>
#include <cstdio>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace troupe::pools {

/// A job, from its being handed over to its end. It moves from one list to another as it goes on;
/// its address stays.
template <class Job, class Result>
struct pool_job {
  pool_job(Job&& j, int p, time_point d, semaphore::permit r, bool is_wanted)
    : job(std::move(j)), priority(p), deadline(d), wanted(is_wanted), room(std::move(r)) {}

  /// Nothing ends it before its time but its worker's end.
  [[nodiscard]] bool is_plain() const noexcept { return !wanted && deadline == time_point::max(); }

  Job job;
  int priority;
  time_point deadline;
  time_point due = {}; // to be tried again
  std::size_t attempts = 0;
  std::size_t losses = 0; // of these, so many have cost their worker
  std::optional<result_value<Result>> value;
  std::exception_ptr error;
  event done;                    // for the one who wants the result
  bool wanted;                   // by somebody who waits
  bool discarded = false;        // he has gone
  cancel_scope* scope = nullptr; // while it is done
  semaphore::permit room;        // in the queue
  std::optional<backoff> delays;
  std::optional<typename std::multimap<time_point, pool_job*>::iterator> expiry; // of its limit
  pool_job* next_claimed = nullptr;
  pool_job* next_ended = nullptr;
  std::list<std::optional<pool_job>>* place = nullptr;
  typename std::list<std::optional<pool_job>>::iterator self;
};

/// The jobs of a pool: queued, under way, to be tried again, and over but not fetched yet.
///
/// It is of the pool's loop, but for `claim` and `ended`, by which workers on other loops help
/// themselves: then what is queued and under way changes under a lock.
template <class Job, class Result>
class job_store {
public:
  using entry = pool_job<Job, Result>;

  /// `options` must outlive this.
  explicit job_store(const worker_pool_options& options)
    : options_(options), letters_(make_channel<failed_job<Job>>(options.dead_letters)) {}
  job_store(const job_store&) = delete;
  job_store& operator=(const job_store&) = delete;

  entry& add(Job&& job, int priority, time_point deadline, semaphore::permit room, bool wanted) {
    entries& queue = queue_of(priority);
    if (spare_.empty())
      spare_.emplace_back();
    entry& e = spare_.front().emplace(std::move(job), priority, deadline, std::move(room), wanted);
    if (options_.retry)
      e.delays.emplace(*options_.retry);
    if (!wanted && deadline != time_point::max())
      e.expiry = expiries_.emplace(deadline, &e);
    const auto lock = locked();
    queue.splice(queue.end(), spare_, spare_.begin());
    e.place = &queue;
    e.self = std::prev(queue.end());
    ++queued_count_;
    return e;
  }

  /// Once more.
  void requeue(entry& e, bool in_front) noexcept {
    const auto lock = locked();
    move_to(queued_.find(e.priority)->second, e, in_front);
    ++queued_count_;
  }

  /// The next one to do, if there is one.
  [[nodiscard]] entry* take() noexcept {
    entry* e = nullptr;
    {
      const auto lock = locked();
      e = next();
      if (e)
        begin(*e);
    }
    if (e)
      e->room.release();
    return e;
  }

  /// The next one to do, if there is one and it is plain, for a worker on any loop. If there is
  /// one, `tell` says whether home is to be told to `collect`: else somebody has been asked
  /// already.
  [[nodiscard]] entry* claim(bool& tell) noexcept {
    const auto lock = locked();
    entry* const e = next();
    if (!e || !e->is_plain())
      return nullptr;
    begin(*e);
    ++e->attempts;
    e->next_claimed = std::exchange(claimed_, e);
    tell = !std::exchange(told_, true);
    return e;
  }

  /// One that was claimed is over, on any loop: it has its value or its error.
  void ended(entry& e) noexcept {
    const auto lock = locked();
    e.next_ended = nullptr;
    *std::exchange(last_ended_, &e.next_ended) = &e;
  }

  /// Nobody could be asked to collect.
  void not_told() noexcept {
    const auto lock = locked();
    told_ = false;
  }

  /// What was claimed has left the queue; what has ended is seen to. Returns true if some of
  /// that is to be tried again, later.
  bool collect() {
    entry* claimed = nullptr;
    entry* over = nullptr;
    {
      const auto lock = locked();
      claimed = std::exchange(claimed_, nullptr);
      over = std::exchange(ended_, nullptr);
      last_ended_ = &ended_;
      told_ = false;
    }
    for (; claimed; claimed = claimed->next_claimed)
      claimed->room.release();
    bool again = false;
    while (over) {
      entry& e = *std::exchange(over, over->next_ended);
      again = finish(e, std::exchange(e.error, nullptr)) || again;
    }
    return again;
  }

  /// Those that are to be tried again by now go back to the queue. Returns how many.
  std::size_t requeue_due() noexcept {
    std::size_t count = 0;
    for (const time_point now = current_time(); !delayed_.empty() && delayed_.front()->due <= now;
         ++count)
      requeue(*delayed_.front(), false);
    return count;
  }

  /// Those that nobody waits for, and whose time is over before they were begun, have failed.
  void expire_due() {
    for (const time_point now = current_time();
         !expiries_.empty() && expiries_.begin()->first <= now;) {
      entry& e = *expiries_.begin()->second;
      expiries_.erase(*std::exchange(e.expiry, std::nullopt));
      if (is_queued(e))
        static_cast<void>(finish(e, nullptr));
    }
  }

  /// When the next one is to be tried again, or its time is over.
  [[nodiscard]] time_point next_due() const noexcept {
    const time_point again = delayed_.empty() ? time_point::max() : delayed_.front()->due;
    return expiries_.empty() ? again : std::min(again, expiries_.begin()->first);
  }

  void forget(entry& e) noexcept {
    if (e.expiry)
      expiries_.erase(*e.expiry);
    const auto node = e.self;
    entries gone;
    {
      const auto lock = locked();
      if (is_queued(e))
        --queued_count_;
      gone.splice(gone.end(), *e.place, node);
    }
    node->reset(); // which may hand over another job
    spare_.splice(spare_.begin(), gone);
    if (spare_.size() > most_spare)
      spare_.pop_back();
    if (drained_ && nothing_to_do())
      std::exchange(drained_, nullptr)->set();
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
    {
      const auto lock = locked();
      move_to(over_, e);
    }
    e.done.set();
    if (drained_ && nothing_to_do())
      std::exchange(drained_, nullptr)->set();
  }

  /// An attempt has left its value, or has failed. Returns true if there is to be another one,
  /// later.
  bool finish(entry& e, std::exception_ptr error) {
    if (e.value) {
      ++counted_.done;
      settle(e);
    } else if (e.discarded) {
      forget(e);
    } else if (!error) {
      fail(e, std::make_exception_ptr(timeout_error("troupe: a job of '" + options_.name
                                                    + "' was not done in its time")));
    } else if (try_again(e, error)) {
      return true;
    } else {
      fail(e, std::move(error));
    }
    return false;
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

  [[nodiscard]] bool nothing_to_do() const noexcept {
    const auto lock = locked();
    return queued_count_ == 0 && running_.empty() && delayed_.empty();
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

  /// What concerns jobs.
  [[nodiscard]] worker_pool_statistics statistics() const noexcept {
    worker_pool_statistics s = counted_;
    const auto lock = locked();
    s.busy = running_.size();
    s.queued = queued_count_;
    s.delayed = delayed_.size();
    return s;
  }
  [[nodiscard]] std::size_t queued() const noexcept {
    const auto lock = locked();
    return queued_count_;
  }

private:
  using entries = std::list<std::optional<entry>>;
  static constexpr std::size_t most_spare = 1024;

  [[nodiscard]] std::unique_lock<std::mutex> locked() const noexcept {
    return options_.spread ? std::unique_lock(mutex_) : std::unique_lock<std::mutex>();
  }

  /// Workers elsewhere read what queues there are, and add none.
  [[nodiscard]] entries& queue_of(int priority) {
    if (const auto there = queued_.find(priority); there != queued_.end())
      return there->second;
    const auto lock = locked();
    return queued_[priority];
  }

  // -- under the lock

  [[nodiscard]] entry* next() noexcept {
    if (queued_count_ != 0)
      for (auto& [priority, waiting_ones] : queued_)
        if (!waiting_ones.empty())
          return &*waiting_ones.front();
    return nullptr;
  }

  void begin(entry& e) noexcept {
    --queued_count_;
    move_to(running_, e);
  }

  void move_to(entries& to, entry& e, bool in_front = false) noexcept {
    to.splice(in_front ? to.begin() : to.end(), *e.place, e.self);
    e.place = &to;
  }

  [[nodiscard]] bool is_queued(const entry& e) const noexcept {
    return e.place != &running_ && e.place != &delayed_ && e.place != &over_;
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
                                    [&e](const auto& other) { return other->due > e.due; });
    const auto lock = locked();
    delayed_.splice(later, *e.place, e.self);
    e.place = &delayed_;
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

  const worker_pool_options& options_;
  mutable std::mutex mutex_;
  std::map<int, entries, std::greater<>> queued_;
  entries running_, delayed_, over_;
  std::multimap<time_point, entry*> expiries_; // of those that nobody waits for
  entries spare_;                              // without a job, for the next ones
  channel_ends<failed_job<Job>> letters_;
  std::shared_ptr<event> drained_;
  entry* claimed_ = nullptr; // since the last `collect`
  entry* ended_ = nullptr;   // likewise, first to last
  entry** last_ended_ = &ended_;
  bool told_ = false; // somebody is going to collect
  std::size_t queued_count_ = 0;
  bool letters_wanted_ = false;
  worker_pool_statistics counted_{};
};

} // namespace troupe::pools
