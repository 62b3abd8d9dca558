// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

namespace troupe {

/// 64 random bits, from the loop's generator; on other threads, from one of their own. For
/// jitter and the like, not for secrets; under simulation, from its seed. Not a checkpoint.
[[nodiscard]] std::uint64_t random_bits();

/// A number from 0 to below 1.
[[nodiscard]] double random_fraction();

} // namespace troupe
