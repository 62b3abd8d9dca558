// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/virtual_clock.hpp>

#include <troupe/detail/runtime.hpp>
#include <troupe/error.hpp>

#include <algorithm>

namespace troupe::testing {

namespace {
constexpr std::size_t usual_loops = 16; // more cost an allocation when they are met
} // namespace

virtual_clock::virtual_clock(bool autojump) : autojump_(autojump) { loops_.reserve(usual_loops); }

/// With the lock held.
virtual_clock::loop_state& virtual_clock::state_of(detail::loop& self) noexcept {
  detail::runtime& rt = self.owner();
  if (const auto key = rt.key_of(0); runtime_key_ != key) {
    loops_.assign(rt.size(), {});
    runtime_key_ = key;
  }
  loop_state& s = loops_[self.index()];
  s.known = &self;
  return s;
}

/// Lets the idle loops look at their timers that have one which is due. Returns whether
/// `self` is among them. With the lock held.
bool virtual_clock::wake_due(const detail::loop* self) noexcept {
  const time_point at = now();
  bool mine = false;
  for (auto& l : loops_)
    if (l.idle && l.next <= at) {
      l.idle = false;
      if (l.known == self)
        mine = true;
      else
        l.known->interrupt();
    }
  return mine;
}

/// To the next timer of all, if all loops wait for it. With the lock held.
bool virtual_clock::jump(const detail::loop* self) noexcept {
  auto earliest = time_point::max();
  for (const auto& l : loops_) {
    // One that has posted and is idle now has done so before; one that has seen its
    // messages has said that it is busy.
    if (!l.idle || l.held || l.known->inbox_waiting())
      return false;
    earliest = std::min(earliest, l.next);
  }
  if (earliest == time_point::max())
    return false;
  // another timer may be due already: then the time stands still
  now_.store(std::max(now(), earliest).time_since_epoch().count(), std::memory_order_release);
  return wake_due(self);
}

bool virtual_clock::idle(detail::loop& self, time_point next) noexcept {
  const std::lock_guard lock(mutex_);
  loop_state& s = state_of(self);
  s.idle = true;
  s.held = self.anything_outside();
  s.next = next;
  return autojump_ ? jump(&self) : wake_due(&self);
}

void virtual_clock::busy(detail::loop& self) noexcept {
  const std::lock_guard lock(mutex_);
  state_of(self).idle = false;
}

void virtual_clock::advance(duration by) {
  if (by < duration::zero())
    throw usage_error("troupe: virtual_clock::advance: time does not go back");
  const std::lock_guard lock(mutex_);
  now_.store(deadline_after(now(), by).time_since_epoch().count(), std::memory_order_release);
  wake_due(nullptr);
}

void virtual_clock::set_autojump(bool on) noexcept {
  const std::lock_guard lock(mutex_);
  autojump_ = on;
  if (on && !loops_.empty())
    jump(nullptr);
}

} // namespace troupe::testing
