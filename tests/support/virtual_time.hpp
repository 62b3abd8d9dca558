// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/troupe.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace troupe_test {

/// Time that stands still while anything can run on any loop, and otherwise jumps to
/// the next timer of all. What other threads send does not count as long as it is
/// under way.
class virtual_time final : public troupe::detail::time_source {
public:
  explicit virtual_time(unsigned loops = 1) : loops_(loops) {}

  [[nodiscard]] troupe::time_point now() const noexcept override {
    return troupe::time_point(troupe::duration(now_.load(std::memory_order_acquire)));
  }

  bool idle(troupe::detail::loop& self, troupe::time_point next) noexcept override {
    const std::lock_guard lock(mutex_);
    loops_[self.index()] = {&self, next};
    auto earliest = troupe::time_point::max();
    for (const auto& l : loops_) {
      // One that has posted and is idle now has done so before; one that has seen its
      // messages has said that it is busy.
      if (!l.idle || l.idle->inbox_waiting())
        return false;
      earliest = std::min(earliest, l.next);
    }
    if (earliest == troupe::time_point::max())
      return false;
    now_.store(earliest.time_since_epoch().count(), std::memory_order_release);
    bool mine = false;
    for (auto& l : loops_)
      if (l.next == earliest) {
        if (l.idle == &self)
          mine = true;
        else
          l.idle->interrupt();
        l.idle = nullptr;
      }
    return mine;
  }

  void busy(troupe::detail::loop& self) noexcept override {
    const std::lock_guard lock(mutex_);
    loops_[self.index()].idle = nullptr;
  }

private:
  struct state {
    troupe::detail::loop* idle = nullptr; // null: it runs
    troupe::time_point next{};
  };

  std::mutex mutex_;
  std::vector<state> loops_;
  std::atomic<troupe::duration::rep> now_{0};
};

/// Runs a root task on one loop, or several, on virtual time.
template <class F>
auto run_virtually(F fn, unsigned loops = 1) {
  virtual_time time(loops);
  troupe::run_options options;
  options.loops = loops;
  options.time = &time;
  return troupe::run(options, std::move(fn));
}

} // namespace troupe_test
