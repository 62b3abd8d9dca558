// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/runtime.hpp>

#include <string>

namespace troupe::testing::internal {

/// Tasks of `rt`, which runs nothing now, that wait for each other in a circle: by locks, by
/// requests to actors, for the end of a task or of children. A line each; empty if there are
/// none, or if nobody knows who holds what.
[[nodiscard]] std::string wait_cycle(troupe::detail::runtime& rt);

} // namespace troupe::testing::internal
