// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/cancel_scope.hpp>
#include <troupe/detail/child.hpp>

#include <memory>
#include <string>

namespace troupe::detail {

class start_wait;

/// What few tasks need.
struct task_extras {
  std::string name;                                  // given, not the function's
  list<joiner, join_tag> joiners;                    // who waits for the end
  start_wait* starter = nullptr;                     // in nursery::start, until ready
  std::unique_ptr<cancel_reason> reason;             // of task_block::cancel
  std::shared_ptr<const void> locals;                // task-local values; see task_local.hpp
  std::shared_ptr<void> actor;                       // the actor side; see src/caf
  time_point inherited_deadline = time_point::max(); // of a task started from another loop
};

} // namespace troupe::detail
