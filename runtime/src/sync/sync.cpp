// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/barrier.hpp>
#include <troupe/capacity_limiter.hpp>
#include <troupe/condition.hpp>
#include <troupe/semaphore.hpp>

#include <stdexcept>

namespace troupe {

semaphore::semaphore(std::size_t initial, std::size_t max)
  : value_(initial), permits_(initial), max_(max) {
  if (initial > max)
    throw std::invalid_argument("troupe: a semaphore starts with more permits than its maximum");
}

void semaphore::release() {
  home_.check("a semaphore");
  if (permits_ == max_)
    throw std::logic_error("troupe: a semaphore was released beyond its maximum");
  ++permits_;
  give_back();
}

void semaphore::hand_over(detail::waiter& w) noexcept {
  taken(w.task());
  w.wake(); // the value does not change
}

task<> condition::wait(mutex::guard& lock) {
  mutex* m = lock.source();
  if (!m)
    throw usage_error("troupe: condition::wait needs a guard that holds the mutex");
  park_op park(*this);
  park.lock_ = &lock;
  co_await park;
  co_await shielded([&]() -> task<> { lock = co_await m->lock(); });
}

void condition::notify(std::size_t n) {
  home_.at_home("a condition", [this, n] {
    for (auto left = n; left > 0 && !waiters_.empty(); --left)
      waiters_.front().wake();
  });
}

void condition::notify_all() { notify(static_cast<std::size_t>(-1)); }

capacity_limiter::capacity_limiter(std::size_t total) : total_(total) {
  if (total == 0)
    throw std::invalid_argument("troupe: a capacity_limiter needs at least one token");
}

void capacity_limiter::total(std::size_t tokens) {
  if (tokens == 0)
    throw std::invalid_argument("troupe: a capacity_limiter needs at least one token");
  home_.at_home("a capacity_limiter", [this, tokens] {
    total_ = tokens;
    wake_next();
  });
}

void capacity_limiter::wake_next() noexcept {
  while (!waiters_.empty() && take(waiters_.front().task()))
    waiters_.front().wake();
}

barrier::barrier(std::size_t parties) : parties_(parties) {
  if (parties == 0)
    throw std::invalid_argument("troupe: a barrier needs at least one party");
}

bool barrier::arrive() noexcept {
  if (waiting_ + 1 < parties_) {
    ++waiting_;
    return false;
  }
  waiting_ = 0;
  while (auto* w = waiters_.first())
    w->wake();
  return true;
}

} // namespace troupe
