// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>

namespace troupe {

/// The clock of the runtime. Time points of `std::chrono::steady_clock`, but
/// always asked from the loop (`current_time()`), so that tests can run on
/// virtual time.
using clock = std::chrono::steady_clock;
using time_point = clock::time_point;
using duration = clock::duration;

/// `after` later than `now`; never (`time_point::max()`), if that is beyond what the clock can say.
/// Not a checkpoint, for any thread.
[[nodiscard]] constexpr time_point deadline_after(time_point now, duration after) noexcept {
  return after > time_point::max() - now ? time_point::max() : now + after;
}

namespace detail {

class loop;

/// Where the loops of one runtime get the time from, if it is not the machine's.
class time_source {
public:
  [[nodiscard]] virtual time_point now() const noexcept = 0;

  /// Called by a loop that has nothing to run (though threads may work for tasks of it,
  /// see `loop::anything_outside`) and whose earliest timer is due at `next`. Returns true if time
  /// has moved on and the loop should look at its timers again instead of going to sleep.
  virtual bool idle(loop& self, time_point next) noexcept = 0;

  /// Called by a loop that was idle and has found something to do.
  virtual void busy(loop& self) noexcept = 0;

protected:
  ~time_source() = default;
};

} // namespace detail

} // namespace troupe
