// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/task.hpp>

namespace troupe {

/// Waits until a read (or `accept`) of `fd` would not block, or a write: for code that makes its
/// own system calls, on descriptors that are non-blocking. For all loops.
///
/// A checkpoint. The descriptor must stay open meanwhile; closing it wakes nobody. Throws
/// `net_error` that names it: if it is not open, or cannot be waited for.
///
/// After Trio's `wait_readable`.
[[nodiscard]] task<> wait_readable(int fd);
[[nodiscard]] task<> wait_writable(int fd);

} // namespace troupe
