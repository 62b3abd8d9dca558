// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

namespace troupe {

/// A plain-text picture of all tasks that live now, as a tree: name, state, what
/// each waits for and where, nearest deadline; and those that wait for each other in a circle, as
/// far as it is known who holds what. From any task or thread of a
/// program whose runtime runs; empty if none does. Costs nothing while nobody
/// asks.
[[nodiscard]] std::string dump_task_tree();

} // namespace troupe
