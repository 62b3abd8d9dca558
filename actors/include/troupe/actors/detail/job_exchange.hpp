// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/detail/job_ring.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace troupe::pools {

/// What the loops of a pool share, without a lock: the jobs that any of them may do next, and
/// those that are over. Each loop has a ring. Home puts jobs into its own; another one that has
/// nothing to do takes half of what waits elsewhere into its own, so that loops with small jobs
/// seldom meet, and none waits behind a long one. After the schedulers of Go and Tokio.
template <class T>
class job_exchange {
public:
  /// Home's ring has room for what waits in a `queue` of that size.
  job_exchange(unsigned loops, unsigned home, std::size_t queue) : loops_(loops), home_(home) {
    for (unsigned i = 0; i < loops; ++i)
      rings_.push_back(std::make_unique<job_ring<T>>(
        i == home ? std::clamp(queue, most_set_aside, most_exposed) : most_set_aside));
    at_home_ = rings_[home].get();
  }
  job_exchange(const job_exchange&) = delete;
  job_exchange& operator=(const job_exchange&) = delete;

  // -- for another loop than home

  /// The next one that was set aside there; null if there is none.
  [[nodiscard]] T* take_mine(unsigned loop) noexcept { return rings_[loop]->take(); }

  /// Takes one from elsewhere, and sets some aside; null if there is none. But first from its own
  /// ring, which another of its workers may have filled by now: so that is empty when some are set
  /// aside. Sets `news` if home is to be told to look.
  [[nodiscard]] T* take_elsewhere(unsigned loop, bool& news) noexcept {
    if (T* const x = take_mine(loop))
      return x;
    std::array<T*, most_set_aside> some; // NOLINT: written before it is read
    const std::span<T*> room = std::span(some).first(sets_none_aside() ? 1 : most_set_aside);
    for (unsigned i = 0; i < loops_; ++i) {
      const std::size_t count = rings_[(home_ + i) % loops_]->take_half(room);
      if (count == 0)
        continue;
      for (std::size_t k = 1; k < count; ++k)
        rings_[loop]->add(*some[k]);
      news = !told_.exchange(true); // who has looked in vain may have a look at these
      return some[0];
    }
    return nullptr;
  }

  [[nodiscard]] bool any() const noexcept {
    for (unsigned i = 0; i < loops_; ++i)
      if (rings_[i]->size() != 0)
        return true;
    return false;
  }

  /// One that was taken is over. Returns true if home is to be told to look: else somebody has told
  /// it already.
  [[nodiscard]] bool over(T& x) noexcept {
    x.next_over = over_.load(std::memory_order_relaxed);
    while (!over_.compare_exchange_weak(x.next_over, &x)) {
    }
    return !told_.load() && !told_.exchange(true);
  }

  /// Nobody could tell home.
  void not_told() noexcept { told_.store(false); }

  // -- for home

  /// Who takes something from now on tells. Returns those that are over, last to first.
  [[nodiscard]] T* look() noexcept {
    static_cast<void>(told_.exchange(false)); // before all else
    return over_.exchange(nullptr);
  }

  /// From now on other loops take one at a time.
  void set_none_aside() noexcept { none_aside_.store(true, std::memory_order_relaxed); }
  [[nodiscard]] bool sets_none_aside() const noexcept {
    return none_aside_.load(std::memory_order_relaxed);
  }

  /// So many may wait there: few where others are more urgent, for then these are pulled back.
  [[nodiscard]] std::uint64_t room() const noexcept {
    const std::uint64_t all = at_home().capacity();
    return sets_none_aside() ? std::min(all, most_pulled_back) : all;
  }

  [[nodiscard]] job_ring<T>& at_home() noexcept { return *at_home_; }
  [[nodiscard]] const job_ring<T>& at_home() const noexcept { return *at_home_; }

  /// One that another loop has set aside for later; null if there is none.
  [[nodiscard]] T* take_set_aside() noexcept {
    for (unsigned i = 1; i < loops_; ++i)
      if (T* const x = rings_[(home_ + i) % loops_]->take())
        return x;
    return nullptr;
  }
  [[nodiscard]] std::size_t set_aside() const noexcept {
    std::size_t n = 0;
    for (unsigned i = 1; i < loops_; ++i)
      n += rings_[(home_ + i) % loops_]->size();
    return n;
  }

private:
  static constexpr std::size_t most_set_aside = 16;
  static constexpr std::size_t most_exposed = 4096;
  static constexpr std::uint64_t most_pulled_back = 256;

  std::vector<std::unique_ptr<job_ring<T>>> rings_; // by loop
  job_ring<T>* at_home_;
  unsigned loops_;
  unsigned home_;
  std::atomic<bool> none_aside_{false};
  alignas(cache_line) std::atomic<T*> over_{nullptr}; // last to first
  alignas(cache_line) std::atomic<bool> told_{
    false}; // somebody has told home, which has not looked
};

} // namespace troupe::pools
