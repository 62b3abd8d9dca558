// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace troupe::detail {

class timer_heap;

/// Something that happens at a time. Belongs to whoever embeds it; leaves the
/// heap when destroyed.
class timer {
public:
  timer() = default;
  timer(const timer&) = delete;
  timer& operator=(const timer&) = delete;

  [[nodiscard]] bool armed() const noexcept { return index_ != idle; }

  /// Called by the loop, once, when the time has come. The timer is no longer
  /// armed then.
  virtual void expired() noexcept = 0;

protected:
  ~timer() = default;

private:
  friend class timer_heap;
  static constexpr std::uint32_t idle = 0xffffffffU;
  std::uint32_t index_ = idle;
};

/// The timers of one loop: a 4-ary heap (half the depth of a binary one and
/// one cache line per level). Equal deadlines fire in the order they were set.
///
/// A timer that is removed leaves a hole, which goes when it comes to the front or when
/// half of the heap are holes: so the removal of all timers of many tasks that are
/// cancelled costs a few passes over the heap, not a way down it for each.
class timer_heap {
public:
  /// Throws `std::bad_alloc`; nothing has changed then.
  void add(timer& t, time_point when);
  void remove(timer& t) noexcept;

  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size() - holes_; }

  /// The earliest deadline; `time_point::max()` if there is none.
  [[nodiscard]] time_point next() noexcept {
    drop_holes_in_front();
    return entries_.empty() ? time_point::max() : entries_.front().when;
  }

  /// Takes out the earliest timer if it is due at `now`, else null.
  timer* pop_due(time_point now) noexcept;

private:
  struct entry {
    time_point when;
    std::uint64_t sequence;
    timer* what; // null: a hole

    [[nodiscard]] bool before(const entry& other) const noexcept {
      return when != other.when ? when < other.when : sequence < other.sequence;
    }
  };

  void place(std::size_t at, entry e) noexcept;
  void sift_up(std::size_t at, entry e) noexcept;
  void sift_down(std::size_t at, entry e) noexcept;
  void drop_holes_in_front() noexcept {
    while (!entries_.empty() && !entries_.front().what) {
      --holes_;
      pop_front();
    }
  }
  void pop_front() noexcept;
  void close_holes() noexcept;

  std::vector<entry> entries_;
  std::uint64_t sequence_ = 0;
  std::size_t holes_ = 0;
};

} // namespace troupe::detail
