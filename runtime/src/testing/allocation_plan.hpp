// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <mutex>

namespace troupe::detail {
class task_block;
} // namespace troupe::detail

namespace troupe::testing::internal {

/// Who says that an allocation of a task fails.
class allocation_plan {
public:
  /// `t`, which runs on this thread, allocates. What is allocated here counts for nobody.
  virtual bool allocation_fails(troupe::detail::task_block& t) noexcept = 0;

protected:
  ~allocation_plan() = default;
};

/// Any thread, but not from a plan. Throws `std::bad_alloc`.
void add_allocation_plan(allocation_plan& p);
void remove_allocation_plan(allocation_plan& p) noexcept;

extern constinit std::atomic<unsigned> allocation_plans_there;

/// Asks all of them for the task that runs on this thread, if any.
[[nodiscard]] bool ask_allocation_plans() noexcept;

[[nodiscard]] inline bool plan_fails_allocation() noexcept {
  return allocation_plans_there.load(std::memory_order_relaxed) != 0 && ask_allocation_plans();
}

/// As long as this is there, this thread allocates nothing as a task.
class quiet_here {
public:
  quiet_here() noexcept;
  quiet_here(const quiet_here&) = delete;
  quiet_here& operator=(const quiet_here&) = delete;
  ~quiet_here();
};

/// A mutex for what only tests have: who holds it allocates nothing as a task. A plan that
/// struck there would break the test kit, not the program.
class quiet_mutex {
public:
  void lock();
  void unlock() noexcept;

private:
  std::mutex mutex_;
};

} // namespace troupe::testing::internal
