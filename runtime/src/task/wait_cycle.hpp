// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/loop.hpp>
#include <troupe/detail/task_block.hpp>

#include <string>
#include <vector>

namespace troupe::detail {

/// A task that waits for other tasks, as its loop has seen it. By now it may be gone: the pointers
/// are to be compared.
struct waiting_task {
  const task_block* task;
  const task_block* parent;
  const task_block* needs; // who has to act; null: its children have to end
  std::string text;        // "writer, for a mutex"
};

/// Adds `t`, if it waits for others. On its loop.
void add_if_waiting(const task_block& t, std::vector<waiting_task>& to);

/// Tasks that wait for each other in a circle, a line each; empty if there is none, or if nobody
/// knows who holds what.
[[nodiscard]] std::string wait_cycle(const std::vector<waiting_task>& tasks);

} // namespace troupe::detail
