// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/detail/job_exchange.hpp>
#include <troupe/actors/detail/pool_job.hpp>
#include <troupe/actors/worker_pool_options.hpp>
#include <troupe/cancel_scope.hpp>
#include <troupe/channel.hpp>
#include <troupe/error.hpp>
#include <troupe/event.hpp>
#include <troupe/exception_group.hpp>
#include <troupe/semaphore.hpp>
#include <troupe/time.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <utility>

namespace troupe::pools {

/// The jobs of a pool: queued, under way, to be tried again, and over but not fetched yet.
///
/// It is of the pool's loop, home, but for the exchange, where workers on other loops help
/// themselves.
template <class Job, class Result>
class job_store {
public:
  using entry = pool_job<Job, Result>;

  /// `options` must outlive this.
  explicit job_store(const worker_pool_options& options)
    : options_(options), letters_(make_channel<failed_job<Job>>(options.dead_letters)) {}
  job_store(const job_store&) = delete;
  job_store& operator=(const job_store&) = delete;
  ~job_store() {
    if (exchange_)
      pull_back();
    for (auto& [priority, waiting_ones] : queued_)
      drop(waiting_ones);
    for (entries* all : {&running_, &delayed_, &over_})
      drop(*all);
  }

  /// There are to be workers on all loops.
  void spread(unsigned loops, unsigned home) {
    exchange_ = std::make_unique<job_exchange<entry>>(loops, home, options_.queue);
  }

  entry& add(Job&& job, int priority, time_point deadline, semaphore::permit&& room, bool wanted) {
    entries& queue = queue_of(priority);
    void* const block = blocks_.take();
    entry* e = nullptr;
    try {
      e = new (block) entry(std::move(job), priority, deadline, std::move(room), wanted);
    } catch (...) {
      blocks_.give(block);
      throw;
    }
    if (!e->plain || options_.retry)
      equip(*e);
    enqueue(queue, *e);
    return *e;
  }

  /// Once more.
  void requeue(entry& e, bool in_front) noexcept {
    take_out(e);
    entries& queue = queued_.find(e.priority)->second;
    if (!in_front)
      return enqueue(queue, e);
    if (exchange_)
      pull_back();
    put(queue, queue.begin(), e);
    if (exchange_)
      expose();
  }

  /// The next one to do, if there is one.
  [[nodiscard]] entry* take() noexcept { return exchange_ ? take_any() : take_unexposed(); }
  [[nodiscard]] entry* take_unexposed() noexcept {
    entry* const e = next();
    if (!e)
      return nullptr;
    take_out(*e);
    leave_queue(*e);
    return e;
  }

  /// Whether there are some for workers on other loops to take: then all that are plain and first.
  [[nodiscard]] bool any_exposed() noexcept {
    see_taken();
    expose();
    return exchange_->any();
  }

  /// For workers on other loops; null if there are none.
  [[nodiscard]] job_exchange<entry>* exchange() const noexcept { return exchange_.get(); }

  /// What was taken has left the queue; what is over is seen to. Returns true if some of
  /// that is to be tried again, later.
  bool collect() {
    if (!exchange_)
      return false;
    entry* last = exchange_->look();
    for_each_taken([this](entry& e) {
      __builtin_prefetch(&e); // else they come one after the other
      leave_queue(e);
    });
    expose();
    entry* over = nullptr; // in the order in which they came to it
    while (last) {
      entry* const before = std::exchange(last->next_over, over);
      over = std::exchange(last, before);
    }
    bool again = false;
    std::exception_ptr failure; // of the first one; it concerns none of the others
    while (over) {
      entry& e = *std::exchange(over, over->next_over);
      try {
        again = finish(e, std::exchange(e.error, nullptr)) || again;
      } catch (...) {
        if (!failure)
          failure = std::current_exception();
      }
    }
    if (failure)
      std::rethrow_exception(failure);
    return again;
  }

  /// Those that are to be tried again by now go back to the queue. Returns how many.
  std::size_t requeue_due() noexcept {
    std::size_t count = 0;
    for (const time_point now = current_time();
         !delayed_.empty() && delayed_.front().extras->due <= now; ++count)
      requeue(delayed_.front(), false);
    return count;
  }

  /// Those that nobody waits for, and whose time is over before they were begun, have failed.
  void expire_due() {
    for (const time_point now = current_time();
         !expiries_.empty() && expiries_.begin()->first <= now;) {
      entry& e = *expiries_.begin()->second;
      expiries_.erase(*std::exchange(e.extras->expiry, std::nullopt));
      if (is_queued(e))
        static_cast<void>(finish(e, nullptr));
    }
  }

  /// When the next one is to be tried again, or its time is over.
  [[nodiscard]] time_point next_due() const noexcept {
    const time_point again = delayed_.empty() ? time_point::max() : delayed_.front().extras->due;
    return expiries_.empty() ? again : std::min(again, expiries_.begin()->first);
  }

  void forget(entry& e) noexcept {
    if (e.extras) [[unlikely]]
      expires_no_more(e);
    take_out(e);
    destroy(e);
    tell_if_drained();
  }

  /// Nobody waits for it any more.
  void leave(entry& e) noexcept {
    if (e.place != &running_)
      return forget(e);
    e.wanted = false;
    e.discarded = true;
    if (e.extras->scope)
      e.extras->scope->cancel("nobody waits for the job any more");
  }

  /// Has its value or its error.
  void settle(entry& e) {
    if (!e.wanted)
      return forget(e);
    take_out(e);
    put(over_, over_.end(), e);
    e.extras->done.set();
    tell_if_drained();
  }

  /// An attempt has left its value, or has failed. Returns true if there is to be another one,
  /// later. Throws what the policy throws, and `std::bad_alloc`; the job is over then.
  bool finish(entry& e, const std::exception_ptr& error) {
    if (!e.value) [[unlikely]]
      return has_failed(e, error);
    ++counted_.done;
    settle(e);
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
    return running_plain_ == 0 && running_.empty() && delayed_.empty() && !next()
           && (!exchange_ || seen_ == exchange_->at_home().added());
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
    s.busy = running_plain_ + running_.size();
    if (exchange_) {
      const std::size_t taken = s.busy + (exchange_->at_home().taken() - seen_);
      s.busy = taken - std::min(taken, exchange_->set_aside());
    }
    s.queued = queued();
    s.delayed = delayed_.size();
    return s;
  }
  [[nodiscard]] std::size_t queued() const noexcept {
    std::size_t n = exchange_ ? exchange_->at_home().size() + exchange_->set_aside() : 0;
    for (const auto& [priority, waiting_ones] : queued_)
      n += waiting_ones.size();
    return n;
  }

private:
  using entries = typename entry::list;

  // What is not inlined is out of the way of plain jobs that go well.

  [[gnu::noinline]] void equip(entry& e) {
    try {
      e.extras = std::make_unique<job_extras<entry>>();
      if (options_.retry)
        e.extras->delays.emplace(*options_.retry);
      if (!e.wanted && e.deadline != time_point::max())
        e.extras->expiry = expiries_.emplace(e.deadline, &e);
    } catch (...) {
      destroy(e);
      throw;
    }
  }

  [[gnu::noinline]] void expires_no_more(entry& e) noexcept {
    if (e.extras->expiry)
      expiries_.erase(*e.extras->expiry);
  }

  /// Which may hand over another job.
  void destroy(entry& e) noexcept {
    e.~entry();
    blocks_.give(&e);
  }

  void drop(entries& all) noexcept {
    while (!all.empty()) {
      entry& e = all.front();
      take_out(e);
      destroy(e);
    }
  }

  void put(entries& where, typename entries::iterator before, entry& e) noexcept {
    where.insert(before, e);
    e.place = &where;
  }
  void take_out(entry& e) noexcept {
    if (e.place)
      e.place->erase(e.place->iterator_to(e));
    else
      --running_plain_;
  }

  /// Is under way.
  void leave_queue(entry& e) noexcept {
    if (e.plain) {
      e.place = nullptr;
      ++running_plain_;
    } else
      put(running_, running_.end(), e);
    e.room.release();
  }

  /// Most have the priority of the one before.
  [[nodiscard]] entries& queue_of(int priority) {
    if (!last_queue_ || last_queue_->first != priority) [[unlikely]]
      find_queue_of(priority);
    return last_queue_->second;
  }
  [[gnu::noinline]] void find_queue_of(int priority) {
    last_queue_ = &*queued_.try_emplace(priority).first;
    if (exchange_ && queued_.size() > 1 && !exchange_->sets_none_aside()) {
      exchange_->set_none_aside(); // or others would begin what is less urgent
      pull_back();
    }
  }

  [[nodiscard]] bool is_queued(const entry& e) const noexcept {
    return e.place != &running_ && e.place != &delayed_ && e.place != &over_;
  }

  /// Of those that are not exposed.
  [[nodiscard]] entry* next() const noexcept {
    if (queued_.size() == 1) [[likely]]
      return last_queue_->second.empty() ? nullptr : &last_queue_->second.front();
    for (const auto& [priority, waiting_ones] : queued_)
      if (!waiting_ones.empty())
        return const_cast<entry*>(&waiting_ones.front());
    return nullptr;
  }

  void tell_if_drained() noexcept {
    if (drained_) [[unlikely]]
      look_whether_drained();
  }
  [[gnu::noinline]] void look_whether_drained() noexcept {
    if (nothing_to_do())
      std::exchange(drained_, nullptr)->set();
  }

  // -- what is exposed to other loops: the first ones that are queued, as far as they are plain

  void enqueue(entries& queue, entry& e) noexcept {
    if (exchange_)
      return enqueue_for_all(queue, e);
    put(queue, queue.end(), e);
  }
  [[gnu::noinline]] void enqueue_for_all(entries& queue, entry& e) noexcept {
    if (e.priority > lowest_exposed_)
      pull_back();
    else if (!next() && may_be_exposed(e))
      return expose(e);
    put(queue, queue.end(), e);
    expose();
  }

  [[nodiscard]] bool may_be_exposed(const entry& e) const noexcept {
    return e.plain && exchange_->at_home().added() - seen_ < exchange_->room();
  }

  void expose(entry& e) noexcept {
    lowest_exposed_ = e.priority;
    exchange_->at_home().add(e);
  }

  void expose() noexcept {
    for (entry* e = next(); e && may_be_exposed(*e); e = next()) {
      take_out(*e);
      expose(*e);
    }
  }

  [[nodiscard]] entry* take_any() noexcept {
    entry* const e = take_exposed();
    return e ? e : take_unexposed();
  }
  [[nodiscard]] entry* take_exposed() noexcept {
    entry* e = exchange_->at_home().take();
    if (!e)
      e = exchange_->take_set_aside();
    if (e) {
      see_taken();
      expose();
    }
    return e;
  }

  /// Nothing is exposed after this, as if it never had been.
  void pull_back() noexcept {
    entries exposed, set_aside; // these were the first
    while (entry* const e = exchange_->at_home().take()) {
      for_each_taken([this, e](entry& taken) {
        if (&taken != e) // which keeps its place in the queue
          leave_queue(taken);
      });
      put(exposed, exposed.end(), *e);
    }
    see_taken();
    while (entry* const e = exchange_->take_set_aside()) {
      take_out(*e);
      put(set_aside, set_aside.end(), *e);
    }
    for (entries* from : {&exposed, &set_aside})
      while (!from->empty()) {
        entry& e = from->back();
        take_out(e);
        entries& queue = queued_.find(e.priority)->second;
        put(queue, queue.begin(), e);
      }
  }

  /// What was taken has left the queue.
  void see_taken() noexcept {
    for_each_taken([this](entry& e) { leave_queue(e); });
  }
  template <class F>
  void for_each_taken(F f) noexcept {
    const auto& ring = exchange_->at_home();
    for (const std::uint64_t end = ring.taken(); seen_ != end; ++seen_)
      f(*ring.at(seen_));
  }

  [[gnu::noinline]] bool has_failed(entry& e, const std::exception_ptr& error) {
    if (e.discarded) {
      forget(e);
      return false;
    }
    try {
      if (error && try_again(e, error))
        return true;
      fail(e, error ? error
                    : std::make_exception_ptr(timeout_error("troupe: a job of '" + options_.name
                                                            + "' was not done in its time")));
    } catch (...) {
      if (!e.wanted) // else by who waits
        forget(e);
      throw;
    }
    return false;
  }

  [[nodiscard]] bool try_again(entry& e, const std::exception_ptr& error) {
    if (!options_.retry || !options_.retry->retries(error))
      return false;
    const auto delay = e.extras->delays->next();
    const time_point now = current_time();
    if (!delay || *delay >= e.deadline - now)
      return false;
    ++counted_.retried;
    if (options_.retry->on_retry)
      options_.retry->on_retry(error, *delay);
    e.extras->due = now + *delay;
    const auto later = std::find_if(delayed_.begin(), delayed_.end(), [&e](const entry& other) {
      return other.extras->due > e.extras->due;
    });
    take_out(e);
    put(delayed_, later, e);
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
  spare_blocks<entry> blocks_;
  std::map<int, entries, std::greater<>> queued_;
  std::pair<const int, entries>* last_queue_ = nullptr;
  entries running_, delayed_, over_;
  std::size_t running_plain_ = 0; // these are in no list: nobody but their workers asks for them
  std::multimap<time_point, entry*> expiries_; // of those that nobody waits for
  channel_ends<failed_job<Job>> letters_;
  std::shared_ptr<event> drained_;
  std::unique_ptr<job_exchange<entry>> exchange_; // null if there are workers on this loop alone
  std::uint64_t seen_ = 0;                        // of what was exposed, so many were taken
  int lowest_exposed_ = 0;
  bool letters_wanted_ = false;
  worker_pool_statistics counted_{};
};

} // namespace troupe::pools
