// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace troupe_test {

/// A sanitizer looks at all that is done, which then takes ten times as long: do less of it.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

} // namespace troupe_test
