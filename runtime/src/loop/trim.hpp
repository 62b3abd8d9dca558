// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace troupe::detail {

/// For a thread that is about to sleep: gives the memory of a burst back to the system
/// if most of what the burst took has been freed.
void trim_after_burst() noexcept;

} // namespace troupe::detail
