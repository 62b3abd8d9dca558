// SPDX-License-Identifier: BSD-3-Clause
#include "trim.hpp"

#include <troupe/detail/recycler.hpp>

#include <malloc.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <new>
#include <utility>

namespace troupe::detail {

namespace {

// Frames with buffers in them are large, and live as long as a connection, among small
// blocks that live longer. In one heap these keep the pages of the large ones from
// going back to the system: so the large ones are mapped on their own. See test
// p09_memory_returns_after_ten_thousand_connections.
constexpr std::size_t page = 4096;
constexpr std::size_t large_classes = 16; // up to 64 KiB; what is larger, malloc maps
constexpr std::size_t keep_mapped = std::size_t{256} * 1024; // cached bytes

#if defined(__SANITIZE_ADDRESS__)
constexpr bool caching = false; // let the sanitizer see every use after free
#else
constexpr bool caching = true;
#endif

// What is smaller than a page shares its pages with what outlives it (Asio keeps a record
// of every socket it has seen), and malloc gives none of them back by itself. When most
// of a burst is over and the loop has nothing to do, it is told to, and gets what is cached,
// as each block of that would keep a page.
constexpr std::size_t worth_a_trim = std::size_t{8} * 1024 * 1024; // freed bytes, or
constexpr long many_blocks = 32L * 1024;                           // cached or freed

std::atomic<long> in_use_by_ended{0};
thread_local constinit bool closed = false; // the thread ends, and has given its count

/// The large blocks a thread has cached. Its end gives back the small ones, too.
struct cache {
  std::array<recycler::bin, large_classes + 1> mapped{}; // by pages
  std::size_t mapped_bytes = 0;

  cache() noexcept { this_recycler.open = caching; }
  ~cache() {
    this_recycler.open = false;
    closed = true;
    in_use_by_ended.fetch_add(std::exchange(this_recycler.in_use, 0), std::memory_order_relaxed);
    drop_cached_blocks();
    for (std::size_t pages = 0; pages < mapped.size(); ++pages)
      while (free_block* f = mapped[pages].head) {
        mapped[pages].head = f->next;
        ::munmap(f, pages * page);
      }
  }
};

thread_local constinit long most_in_use = 0;  // since the last trim, as far as malloc was asked
thread_local constinit std::size_t freed = 0; // bytes, since the last trim

cache& local() noexcept {
  static thread_local cache c;
  return c;
}

// The cache has a destructor, so reaching it costs a guard; the pointer does not.
thread_local constinit cache* current = nullptr;

void need_cache() noexcept {
  if (!current)
    current = &local();
}

void count(long delta) noexcept {
  if (!current || closed) [[unlikely]] // nothing gives its count when it ends
    in_use_by_ended.fetch_add(delta, std::memory_order_relaxed);
  else
    this_recycler.in_use += delta;
}

constexpr std::size_t pages_for(std::size_t bytes) noexcept { return (bytes + page - 1) / page; }

void* allocate_mapped(std::size_t pages) {
  auto& bin = current->mapped[pages];
  if (free_block* f = bin.head) {
    bin.head = f->next;
    current->mapped_bytes -= pages * page;
    return f;
  }
  void* fresh =
    ::mmap(nullptr, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (fresh == MAP_FAILED)
    throw std::bad_alloc();
  return fresh;
}

void deallocate_mapped(void* block, std::size_t pages) noexcept {
  if (this_recycler.open && current->mapped_bytes + pages * page <= keep_mapped) {
    auto& bin = current->mapped[pages];
    auto* f = static_cast<free_block*>(block);
    f->next = bin.head;
    bin.head = f;
    current->mapped_bytes += pages * page;
    return;
  }
  if (::munmap(block, pages * page) == 0)
    return;
  // The process has too many mappings to make a hole in one: keep the addresses.
  ::madvise(block, pages * page, MADV_DONTNEED);
  if (this_recycler.open) {
    auto* f = static_cast<free_block*>(block);
    f->next = std::exchange(current->mapped[pages].head, f);
    current->mapped_bytes += pages * page;
  }
}

void* from_malloc(std::size_t bytes) {
  void* fresh = ::operator new(bytes);
  const long in_use = this_recycler.in_use;
  if (in_use >= most_in_use)
    most_in_use = in_use + 1;
  return fresh;
}

void to_malloc(void* block, std::size_t bytes) noexcept {
  ::operator delete(block);
  freed += bytes;
}

/// Where rounding up to pages costs no more than a quarter.
constexpr bool is_mapped(std::size_t bytes) noexcept {
  const std::size_t pages = pages_for(bytes);
  return caching && pages <= large_classes && pages * page - bytes <= bytes / 4;
}

} // namespace

thread_local constinit recycler this_recycler{};

void* recycler::allocate_slowly(std::size_t bytes) {
  need_cache();
  const std::size_t c = class_of(bytes);
  void* fresh = caching && c < classes ? from_malloc(c * granule + slack)
                : is_mapped(bytes)     ? allocate_mapped(pages_for(bytes))
                                       : from_malloc(bytes);
  count(1);
  return fresh;
}

void recycler::deallocate_slowly(void* block, std::size_t bytes) noexcept {
  count(-1);
  if (class_of(bytes) >= classes && is_mapped(bytes))
    deallocate_mapped(block, pages_for(bytes));
  else
    to_malloc(block, bytes);
}

long blocks_in_use() noexcept { return this_recycler.in_use; }

long blocks_in_use_by_all() noexcept {
  return blocks_in_use() + in_use_by_ended.load(std::memory_order_relaxed);
}

void drop_cached_blocks() noexcept {
  for (auto& bin : this_recycler.bins) {
    while (free_block* f = bin.head) {
      bin.head = f->next;
      ::operator delete(f);
    }
    bin.granules = 0;
  }
}

void trim_after_burst() noexcept {
  const long in_use = this_recycler.in_use;
  const bool worth_it = freed >= worth_a_trim || most_in_use - in_use >= many_blocks;
  if (!worth_it || in_use >= most_in_use / 8) [[likely]]
    return;
  drop_cached_blocks();
  ::malloc_trim(0);
  freed = 0;
  most_in_use = in_use;
}

} // namespace troupe::detail
