// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/detail/recycler.hpp>

#include <array>
#include <cstdint>
#include <new>

namespace troupe::detail {

namespace {

constexpr std::size_t granule = 16;
constexpr std::size_t classes = 64;  // up to 1 KiB
constexpr std::uint32_t keep = 1024; // cached blocks a class

#if defined(__SANITIZE_ADDRESS__)
constexpr bool caching = false; // let the sanitizer see every use after free
#else
constexpr bool caching = true;
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
  bool closed = false;

  ~cache() {
    closed = true;
    for (bin& b : bins)
      while (free_block* f = b.head) {
        b.head = f->next;
        ::operator delete(f);
      }
  }
};

thread_local constinit long in_use = 0;

cache& local() noexcept {
  static thread_local cache c;
  return c;
}

// The cache has a destructor, so reaching it costs a guard; the pointer does not.
thread_local constinit cache* current = nullptr;

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
    void* fresh = ::operator new(c* granule);
    ++in_use;
    return fresh;
  }
  void* fresh = ::operator new(bytes);
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
  ::operator delete(block);
}

long blocks_in_use() noexcept { return in_use; }

} // namespace troupe::detail
