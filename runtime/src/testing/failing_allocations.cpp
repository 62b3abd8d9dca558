// SPDX-License-Identifier: BSD-3-Clause
#include "allocation_plan.hpp"

#include <troupe/detail/recycler.hpp>
#include <troupe/testing/failing_allocations.hpp>

#include <cstdlib>
#include <new>

namespace troupe::testing {

constinit failing_allocations allocations;

void failing_events::arm(std::size_t k, bool and_all_after) noexcept {
  seen_ = 0;
  fail_at_ = k;
  all_after_ = and_all_after;
  armed_ = true;
}

void failing_events::disarm() noexcept { armed_ = false; }

bool failing_events::next() noexcept {
  if (!armed_.load(std::memory_order_relaxed))
    return false;
  const std::size_t number = seen_.fetch_add(1) + 1;
  const std::size_t at = fail_at_;
  return at != 0 && (number == at || (number > at && all_after_));
}

long failing_allocations::live() const noexcept {
  troupe::detail::drop_cached_blocks();
  return live_;
}

void* failing_allocations::take(std::size_t bytes, std::size_t alignment) {
  if (next() || internal::plan_fails_allocation())
    throw std::bad_alloc();
  void* p = nullptr;
  if (alignment <= alignof(std::max_align_t))
    p = std::malloc(bytes == 0 ? 1 : bytes);
  else if (::posix_memalign(&p, alignment, bytes) != 0)
    p = nullptr;
  if (!p)
    throw std::bad_alloc();
  live_.fetch_add(1, std::memory_order_relaxed);
  return p;
}

void failing_allocations::give_back(void* p) noexcept {
  if (!p)
    return;
  live_.fetch_sub(1, std::memory_order_relaxed);
  std::free(p);
}

} // namespace troupe::testing
