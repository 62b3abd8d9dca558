// SPDX-License-Identifier: BSD-3-Clause
#include "trim.hpp"

#include <troupe/detail/recycler.hpp>

#include <malloc.h>
#include <sys/mman.h>

#include <array>
#include <cstdint>
#include <new>
#include <utility>

namespace troupe::detail {

namespace {

constexpr std::size_t granule = 16;
constexpr std::size_t classes = 64;  // up to 1 KiB
constexpr std::uint32_t keep = 1024; // cached blocks a class

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
// of a burst is over and the loop has nothing to do, it is told to.
constexpr std::size_t worth_a_trim = std::size_t{8} * 1024 * 1024; // freed bytes
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool trimming = true; // not the malloc that is in use
#else
constexpr bool trimming = true;
#endif

struct free_block {
  free_block* next;
};

struct cache {
  struct bin {
    free_block* head = nullptr;
    std::uint32_t count = 0;
  };
  std::array<bin, classes> bins{};
  std::array<bin, large_classes + 1> mapped{}; // by pages
  std::size_t mapped_bytes = 0;
  bool closed = false;

  ~cache() {
    closed = true;
    for (bin& b : bins)
      while (free_block* f = b.head) {
        b.head = f->next;
        ::operator delete(f);
      }
    for (std::size_t pages = 0; pages < mapped.size(); ++pages)
      while (free_block* f = mapped[pages].head) {
        mapped[pages].head = f->next;
        ::munmap(f, pages * page);
      }
  }
};

thread_local constinit long in_use = 0;
thread_local constinit long most_in_use = 0;  // since the last trim, as far as malloc was asked
thread_local constinit std::size_t freed = 0; // bytes, since the last trim

cache& local() noexcept {
  static thread_local cache c;
  return c;
}

// The cache has a destructor, so reaching it costs a guard; the pointer does not.
thread_local constinit cache* current = nullptr;

constexpr std::size_t pages_for(std::size_t bytes) noexcept { return (bytes + page - 1) / page; }

void* allocate_mapped(std::size_t pages) {
  if (!current)
    current = &local();
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
  if (current && !current->closed && current->mapped_bytes + pages * page <= keep_mapped) {
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
  if (current && !current->closed) {
    auto* f = static_cast<free_block*>(block);
    f->next = std::exchange(current->mapped[pages].head, f);
    current->mapped_bytes += pages * page;
  }
}

void* from_malloc(std::size_t bytes) {
  void* fresh = ::operator new(bytes);
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

void* allocate(std::size_t bytes) {
  const std::size_t c = (bytes + granule - 1) / granule;
  if (caching && c < classes) [[likely]] {
    if (!current) [[unlikely]]
      current = &local();
    auto& bin = current->bins[c];
    if (free_block* f = bin.head) [[likely]] {
      bin.head = f->next;
      --bin.count;
      ++in_use;
      return f;
    }
    void* fresh = from_malloc(c * granule);
    ++in_use;
    return fresh;
  }
  void* fresh = is_mapped(bytes) ? allocate_mapped(pages_for(bytes)) : from_malloc(bytes);
  ++in_use;
  return fresh;
}

void deallocate(void* block, std::size_t bytes) noexcept {
  --in_use;
  const std::size_t c = (bytes + granule - 1) / granule;
  if (caching && c < classes && current && !current->closed) [[likely]] {
    auto& bin = current->bins[c];
    if (bin.count < keep) [[likely]] {
      auto* f = static_cast<free_block*>(block);
      f->next = bin.head;
      bin.head = f;
      ++bin.count;
      return;
    }
  }
  if (is_mapped(bytes))
    deallocate_mapped(block, pages_for(bytes));
  else
    to_malloc(block, bytes);
}

long blocks_in_use() noexcept { return in_use; }

void trim_after_burst() noexcept {
  if (!trimming || freed < worth_a_trim || in_use >= most_in_use / 8) [[likely]]
    return;
  ::malloc_trim(0);
  freed = 0;
  most_in_use = in_use;
}

} // namespace troupe::detail
