// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>

#include <string>

namespace troupe::detail {
class task_block;
} // namespace troupe::detail

namespace troupe::testing::internal {

/// The name of the host whose node `t` belongs to; empty if it belongs to none.
[[nodiscard]] std::string node_of(const troupe::detail::task_block& t);

/// That node, if any, crashes now. In the task.
void crash_node_of(const troupe::detail::task_block& t, duration down_for);

} // namespace troupe::testing::internal
