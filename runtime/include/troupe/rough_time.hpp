// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>

namespace troupe {

/// As `current_time`, but only exact to a few milliseconds, never ahead of it, and for a
/// fraction of the cost: for ages and time stamps. Not a checkpoint.
[[nodiscard]] time_point rough_time() noexcept;

} // namespace troupe
