// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace troupe::testing::internal {

/// Somebody is about to read the machine's clock by `call`: called by what stands in for that
/// function, see refuse_clocks.hpp. Any thread.
void clock_is_read(const char* call) noexcept;

} // namespace troupe::testing::internal
