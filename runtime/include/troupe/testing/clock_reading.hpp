// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace troupe::testing::internal {

/// Somebody is about to read the machine's clock by `call`, a literal of the program's; `by` is
/// where that function returns to. Called by what stands in for it, see refuse_clocks.hpp. Any
/// thread.
void clock_is_read(const char* call, void* by) noexcept;

} // namespace troupe::testing::internal
