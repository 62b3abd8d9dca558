// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actors/connection_limit.hpp>
#include <troupe/actors/detail/limited_pool.hpp>

#include <algorithm>
#include <stdexcept>

namespace troupe {

namespace {

std::size_t checked(std::size_t max) {
  if (max == 0)
    throw std::invalid_argument("troupe: a limit of connections must allow one at least");
  return max;
}

} // namespace

connection_limit::connection_limit(std::size_t max) : max_(checked(max)), permits_(max) {}

std::size_t connection_limit::size() const noexcept {
  std::size_t all = max_ - permits_.value();
  for (const pools::limited* p : pools_)
    all += p->idle_count();
  return all;
}

namespace pools {

limited::limited(connection_limit* limit) : limit_(limit) {
  if (limit_)
    limit_->pools_.push_back(this);
}

limited::~limited() {
  if (limit_)
    std::erase(limit_->pools_, this);
}

bool limited::try_acquire_shared(semaphore::permit& permit, purpose what) {
  if (!limit_)
    return true;
  if (what == purpose::open && limit_->size() >= limit_->max_)
    return false;
  permit = limit_->permits_.try_acquire();
  return static_cast<bool>(permit);
}

void limited::make_room() noexcept {
  while (limit_ && limit_->size() > limit_->max_) {
    limited* oldest = nullptr;
    for (limited* p : limit_->pools_)
      if (p->idle_count() != 0 && (!oldest || p->oldest_idle() < oldest->oldest_idle()))
        oldest = p;
    if (!oldest)
      return; // never so: there are no more rights than `max`
    oldest->close_oldest_idle();
  }
}

} // namespace pools

} // namespace troupe
