// SPDX-License-Identifier: BSD-3-Clause
// The faults of plans that strike where a task allocates.
#include "allocation_plan.hpp"

#include "fault_injector.hpp"

#include <troupe/detail/loop.hpp>

#include <algorithm>
#include <shared_mutex>

namespace troupe::testing::internal {

using troupe::detail::task_block;

constinit std::atomic<unsigned> allocation_plans_there{0};

namespace {

thread_local constinit unsigned quiet = 0; // where it is not the task that allocates

/// Shared: those who allocate.
std::shared_mutex plans_mutex;

std::vector<allocation_plan*>& all_plans() {
  static std::vector<allocation_plan*> plans;
  return plans;
}

} // namespace

quiet_here::quiet_here() noexcept { ++quiet; }
quiet_here::~quiet_here() { --quiet; }

void quiet_mutex::lock() {
  mutex_.lock();
  ++quiet;
}

void quiet_mutex::unlock() noexcept {
  --quiet;
  mutex_.unlock();
}

void add_allocation_plan(allocation_plan& p) {
  const quiet_here now;
  const std::lock_guard lock(plans_mutex);
  all_plans().push_back(&p);
  allocation_plans_there.fetch_add(1, std::memory_order_relaxed);
}

void remove_allocation_plan(allocation_plan& p) noexcept {
  const std::lock_guard lock(plans_mutex);
  if (std::erase(all_plans(), &p) != 0)
    allocation_plans_there.fetch_sub(1, std::memory_order_relaxed);
}

bool ask_allocation_plans() noexcept {
  if (quiet != 0)
    return false;
  task_block* const t = troupe::detail::current_task_block();
  if (!t)
    return false;
  const quiet_here now;
  const std::shared_lock lock(plans_mutex);
  bool any = false;
  for (allocation_plan* p : all_plans())
    any = p->allocation_fails(*t) || any;
  return any;
}

// -- of an injector -----------------------------------------------------------------------

void fault_injector::watch_allocations(const task_block& t, planned& p) {
  const std::lock_guard lock(allocations_mutex_);
  allocating_[&t].faults.push_back(&p);
}

bool fault_injector::allocation_fails(task_block& t) noexcept {
  if (!on_ || !mine_())
    return false;
  bool any = false;
  try {
    std::string struck;
    {
      const std::lock_guard lock(allocations_mutex_);
      const auto found = allocating_.find(&t);
      if (found == allocating_.end())
        return false;
      const std::uint64_t number = ++found->second.seen;
      for (planned* p : found->second.faults)
        any = strikes(*p, number) || any;
      if (any)
        struck = "by plan, lacks memory at allocation " + std::to_string(number) + ": ";
    }
    if (any) // without the lock: the task may hold one that who hears of it wants
      note_(struck + t.name(), "");
  } catch (...) { // NOLINT(bugprone-empty-catch): there is none in fact
  }
  return any;
}

} // namespace troupe::testing::internal
