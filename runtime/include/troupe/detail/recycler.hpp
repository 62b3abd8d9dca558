// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>

namespace troupe::detail {

/// Memory for coroutine frames and task blocks. Blocks are cached by size on
/// the thread that frees them, so that a loop that starts tasks as fast as
/// others end does not reach `malloc`. A block may be freed on any thread. The
/// cache holds a bounded number of blocks: what a burst took goes back.
///
/// Throws `std::bad_alloc`.
[[nodiscard]] void* allocate(std::size_t bytes);
void deallocate(void* block, std::size_t bytes) noexcept;

/// Blocks taken and not yet given back by the calling thread (may be negative
/// where blocks are handed to other threads). For leak checks in tests.
[[nodiscard]] long blocks_in_use() noexcept;

} // namespace troupe::detail
