// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace troupe::pools {

/// What one thread does not write while another uses it has lines of the cache to itself.
inline constexpr std::size_t cache_line = 64;

/// Pointers that wait on one loop: it alone adds, any takes the first ones. Without a lock.
template <class T>
class job_ring {
public:
  /// With room for as many, or some more.
  explicit job_ring(std::size_t capacity)
    : capacity_(std::bit_ceil(capacity)), slots_(std::make_unique<std::atomic<T*>[]>(capacity_)) {}
  job_ring(const job_ring&) = delete;
  job_ring& operator=(const job_ring&) = delete;

  /// Takes the first one; null if there is none.
  [[nodiscard]] T* take() noexcept {
    std::uint64_t at = taken_.load(std::memory_order_acquire);
    while (at != added_.load(std::memory_order_acquire)) {
      T* const first = this->at(at);
      if (take_until(at, at + 1))
        return first;
    }
    return nullptr;
  }

  /// Takes half of them, but no more than there is room for. Returns how many.
  [[nodiscard]] std::size_t take_half(std::span<T*> room) noexcept {
    std::uint64_t at = taken_.load(std::memory_order_acquire);
    for (;;) {
      const std::uint64_t all = added_.load(std::memory_order_acquire) - at;
      if (all == 0)
        return 0;
      const std::size_t count = std::min<std::uint64_t>(room.size(), (all + 1) / 2);
      for (std::size_t i = 0; i < count; ++i)
        room[i] = this->at(at + i);
      if (take_until(at, at + count))
        return count;
    }
  }

  [[nodiscard]] std::uint64_t capacity() const noexcept { return capacity_; }

  /// On its loop, if the place of the one `capacity()` before is not needed any more.
  void add(T& x) noexcept {
    const std::uint64_t at = added();
    slot(at).store(&x, std::memory_order_relaxed);
    added_.store(at + 1, std::memory_order_release);
  }

  /// Counted from the beginning: so many were added, so many of these taken, and the one of that
  /// number.
  [[nodiscard]] std::uint64_t added() const noexcept {
    return added_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t taken() const noexcept {
    return taken_.load(std::memory_order_acquire);
  }
  [[nodiscard]] T* at(std::uint64_t number) const noexcept {
    return slot(number).load(std::memory_order_relaxed);
  }

  [[nodiscard]] std::size_t size() const noexcept {
    const std::uint64_t before = taken(); // never more than what is read after it
    return added_.load(std::memory_order_acquire) - before;
  }

private:
  [[nodiscard]] std::atomic<T*>& slot(std::uint64_t number) const noexcept {
    return slots_[number & (capacity_ - 1)];
  }
  [[nodiscard]] bool take_until(std::uint64_t& from, std::uint64_t end) noexcept {
    return taken_.compare_exchange_weak(from, end, std::memory_order_acq_rel,
                                        std::memory_order_acquire);
  }

  const std::uint64_t capacity_; // a power of two
  const std::unique_ptr<std::atomic<T*>[]> slots_;
  alignas(cache_line) std::atomic<std::uint64_t> taken_{0};
  alignas(cache_line) std::atomic<std::uint64_t> added_{0};
};

} // namespace troupe::pools
