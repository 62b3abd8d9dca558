// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>

namespace troupe::detail {

struct free_block {
  free_block* next;
};

/// The blocks a thread has cached, by size. A block of class c has 16 c + 8 bytes: with
/// the 8 bytes that malloc keeps, nothing is lost to its rounding.
struct recycler {
  static constexpr std::size_t granule = 16;
  static constexpr std::size_t slack = 8;
  static constexpr std::size_t classes = 64;                                  // up to 1 KiB
  static constexpr std::size_t keep = std::size_t{4} * 1024 * 1024 / granule; // cached a class

  struct bin {
    free_block* head;
    std::size_t granules;
  };

  [[nodiscard]] static constexpr std::size_t class_of(std::size_t bytes) noexcept {
    return (bytes + granule - slack - 1) / granule;
  }

  std::array<bin, classes> bins;
  long in_use;
  bool open; // set by the library alone, which may have been built without caching

  static void* allocate_slowly(std::size_t bytes);
  static void deallocate_slowly(void* block, std::size_t bytes) noexcept;
};

extern thread_local constinit recycler this_recycler;

/// Memory for coroutine frames and task blocks. Blocks are cached by size on
/// the thread that frees them, so that a loop that starts tasks as fast as
/// others end, or as many as have ended before, does not reach `malloc`. A block
/// may be freed on any thread. The cache holds a bounded number of bytes, and
/// less once the loop sleeps: what a burst took goes back.
///
/// Throws `std::bad_alloc`.
[[nodiscard]] inline void* allocate(std::size_t bytes) {
  recycler& mine = this_recycler;
  const std::size_t c = recycler::class_of(bytes);
  if (c < recycler::classes) [[likely]] {
    auto& bin = mine.bins[c];
    if (free_block* f = bin.head) [[likely]] {
      bin.head = f->next;
      bin.granules -= c;
      ++mine.in_use;
      return f;
    }
  }
  return recycler::allocate_slowly(bytes);
}

inline void deallocate(void* block, std::size_t bytes) noexcept {
  recycler& mine = this_recycler;
  const std::size_t c = recycler::class_of(bytes);
  if (c < recycler::classes && mine.open) [[likely]] {
    auto& bin = mine.bins[c];
    if (bin.granules < recycler::keep) [[likely]] {
      auto* f = static_cast<free_block*>(block);
      f->next = bin.head;
      bin.head = f;
      bin.granules += c;
      --mine.in_use;
      return;
    }
  }
  recycler::deallocate_slowly(block, bytes);
}

/// Blocks taken and not yet given back by the calling thread (may be negative
/// where blocks are handed to other threads). For leak checks in tests.
[[nodiscard]] long blocks_in_use() noexcept;

/// The same of the calling thread and all that have ended: if no other that uses blocks
/// runs, those of the process. For leak checks in tests.
[[nodiscard]] long blocks_in_use_by_all() noexcept;

/// Gives back the small blocks that the calling thread has cached.
void drop_cached_blocks() noexcept;

} // namespace troupe::detail
