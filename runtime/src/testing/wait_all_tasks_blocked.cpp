// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/wait_all_tasks_blocked.hpp>

#include <troupe/detail/runtime.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace troupe::detail {

/// Knows which loops of a runtime have nothing to do, and who waits for all of them. A
/// loop decides for its own waiters alone, when it has nothing to do itself.
class blocked_watch final : public idle_watch {
public:
  explicit blocked_watch(runtime& rt) : loops_(rt.size()) {
    for (std::size_t i = 0; i < loops_.size(); ++i)
      loops_[i].home = &rt.at(i);
  }

  /// The one of the runtime of `home`. Throws `std::bad_alloc`.
  static blocked_watch& of(loop& home) {
    runtime& rt = home.owner();
    if (!rt.watch())
      rt.watch(std::make_unique<blocked_watch>(rt));
    return static_cast<blocked_watch&>(*rt.watch());
  }

  void add(blocked_wait& w) noexcept {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(w);
    for (auto& l : loops_)
      if (l.home != &w.task_->home()) { // may not know of the watch, or have an event waiting
        l.idle = false;
        l.nudge();
      }
  }

  void remove(blocked_wait& w) noexcept {
    const std::lock_guard lock(mutex_);
    w.unlink();
  }

  void idle(loop& l) noexcept override {
    const std::lock_guard lock(mutex_);
    loops_[l.index()].idle = true;
    ++activity_;
    if (waiting_.empty())
      return;
    set_timers(l);
    if (!all_idle(l))
      return;
    if (!wake_without_cushion(l))
      waiting_.for_each([&](blocked_wait& w) {
        if (w.cushion_ <= duration::zero())
          loops_[w.task_->home().index()].nudge(); // it decides for its own
      });
  }

  void busy(loop& l) noexcept override {
    const std::lock_guard lock(mutex_);
    loops_[l.index()].idle = false;
    ++activity_;
  }

  /// Whether nothing has run since the timer was set, but for what has fired it.
  bool quiet_for(const blocked_wait& w) noexcept {
    const std::lock_guard lock(mutex_);
    loop& home = w.task_->home();
    return activity_ == w.activity_ + 1 && !home.anything_ready() && all_idle(home);
  }

private:
  struct loop_state final : inbox_node {
    void run() noexcept override { nudged.store(false, std::memory_order_release); }
    /// Makes the loop say that it is idle, once more.
    void nudge() noexcept {
      if (!nudged.exchange(true, std::memory_order_acq_rel))
        home->post(*this);
    }

    loop* home = nullptr;
    bool idle = false;
    std::atomic<bool> nudged{false};
  };

  /// But for `self`, which has looked itself.
  [[nodiscard]] bool all_idle(const loop& self) const noexcept {
    for (const auto& l : loops_)
      if (l.home != &self && (!l.idle || l.home->inbox_waiting()))
        return false;
    return !self.inbox_waiting();
  }

  bool wake_without_cushion(const loop& l) noexcept {
    bool any = false;
    waiting_.for_each([&](blocked_wait& w) {
      if (w.cushion_ > duration::zero() || &w.task_->home() != &l)
        return;
      w.unlink();
      w.task_->wake();
      any = true;
    });
    return any;
  }

  /// Each time the loop comes to rest the cushions begin anew.
  void set_timers(loop& l) noexcept {
    waiting_.for_each([&](blocked_wait& w) {
      if (w.cushion_ <= duration::zero() || &w.task_->home() != &l)
        return;
      if (w.armed())
        l.timers().remove(w);
      l.timers().add(w, deadline_after(l.now(), w.cushion_));
      w.activity_ = activity_;
    });
  }

  std::mutex mutex_;
  std::vector<loop_state> loops_;
  list<blocked_wait, blocked_tag> waiting_;
  std::uint64_t activity_ = 0; // loops that have come to rest or have been woken
};

void blocked_wait::enlist(task_block& t) {
  task_ = &t;
  blocked_watch& watch = blocked_watch::of(t.home());
  watch_ = &watch;
  watch.add(*this);
}

void blocked_wait::leave() noexcept {
  if (!watch_)
    return;
  watch_->remove(*this);
  if (armed())
    task_->home().timers().remove(*this);
  watch_ = nullptr;
}

void blocked_wait::expired() noexcept {
  if (!watch_->quiet_for(*this))
    return; // it is set again when the loop comes to rest
  leave();
  task_->wake();
}

} // namespace troupe::detail
