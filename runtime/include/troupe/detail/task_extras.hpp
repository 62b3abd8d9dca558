// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/cancel_scope.hpp>
#include <troupe/detail/child.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace troupe::detail {

class start_wait;
class task_actor;

/// The task behind `a` has ended. See src/caf.
void actor_task_ended(task_actor& a) noexcept;
/// The task lets go of its actor.
void release_actor(task_actor& a) noexcept;

/// What few tasks need.
struct task_extras {
  task_extras() = default;
  task_extras(const task_extras&) = delete;
  task_extras& operator=(const task_extras&) = delete;
  ~task_extras() {
    if (actor)
      release_actor(*actor);
  }

  static void* operator new(std::size_t bytes) { return allocate(bytes); }
  static void operator delete(void* p, std::size_t bytes) noexcept { deallocate(p, bytes); }

  std::string name;                                  // given, not the function's
  list<joiner, join_tag> joiners;                    // who waits for the end
  checkpoint_watch* watch = nullptr;                 // see task_block::watch_checkpoints
  start_wait* starter = nullptr;                     // in nursery::start, until ready
  std::unique_ptr<cancel_reason> reason;             // of task_block::cancel
  std::shared_ptr<const void> locals;                // task-local values; see task_local.hpp
  task_actor* actor = nullptr;                       // owned; once somebody has asked for it
  time_point inherited_deadline = time_point::max(); // of a task started from another loop
  std::uint32_t number = 0;                          // under simulation: it ran as the n-th
};

} // namespace troupe::detail
