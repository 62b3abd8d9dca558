// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace troupe::detail {

/// The one descriptor that the process makes for signals when somebody first hears them, and
/// never closes; -1 before. For leak checks in tests.
[[nodiscard]] int signal_bell() noexcept;

} // namespace troupe::detail
