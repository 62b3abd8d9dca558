// SPDX-License-Identifier: BSD-3-Clause
#include "loop_clock.hpp"

#include <caf/detail/simple_actor_clock.hpp>

#include <atomic>
#include <mutex>

namespace troupe::detail {

/// The timeouts that one loop keeps. The entries and their index are CAF's; what
/// is ours is when to look at them. Any thread may set and cancel, so they have a
/// lock; the count lets the many actors that end without timeouts pass by it.
class loop_clock::shard final : private caf::detail::simple_actor_clock,
                                private timer,
                                private inbox_node {
public:
  explicit shard(loop& l) noexcept : loop_(l) {}

  /// Calls `set(entries)` and makes the loop look at them in time.
  template <class Set>
  void add(Set set) {
    bool earlier = false;
    {
      const std::lock_guard lock(mutex_);
      set(static_cast<simple_actor_clock&>(*this));
      earlier = note_next();
    }
    if (!earlier)
      return;
    if (loop::current() == &loop_)
      arm();
    else if (!posted_.exchange(true, std::memory_order_acq_rel))
      loop_.post(*this);
  }

  template <class Cancel>
  void cancel(Cancel cancel_in) {
    // relaxed: an actor cancels what it has set itself, and so sees its own count
    if (count_.load(std::memory_order_relaxed) == 0)
      return;
    const std::lock_guard lock(mutex_);
    cancel_in(static_cast<simple_actor_clock&>(*this));
    count_.store(schedule_.size(), std::memory_order_relaxed);
  }

  /// Not a `cancel`: the entries may own actors, which end outside of the lock.
  void clear() noexcept {
    schedule_map entries;
    actor_lookup_map index;
    const std::lock_guard lock(mutex_);
    entries.swap(schedule_);
    index.swap(actor_lookup_);
    count_.store(0, std::memory_order_relaxed);
  }

  void detach() noexcept {
    detached_ = true;
    if (armed())
      loop_.timers().remove(*this);
  }

private:
  /// Returns true if the loop has to be told of an earlier deadline.
  bool note_next() noexcept {
    count_.store(schedule_.size(), std::memory_order_relaxed);
    if (schedule_.empty() || schedule_.begin()->first >= armed_for_)
      return false;
    armed_for_ = schedule_.begin()->first;
    return true;
  }

  /// Sets the loop's timer to the earliest entry.
  void arm() {
    if (detached_)
      return;
    time_point next;
    {
      const std::lock_guard lock(mutex_);
      next = armed_for_ = schedule_.empty() ? time_point::max() : schedule_.begin()->first;
    }
    if (armed())
      loop_.timers().remove(*this);
    if (next != time_point::max())
      loop_.timers().add(*this, next);
  }

  // on the loop, for a deadline that another thread has set
  void run() noexcept override {
    posted_.store(false, std::memory_order_release);
    look();
  }

  void look() noexcept {
    try {
      arm();
    } catch (...) { // no memory for the timer: try again in the next round
      if (!posted_.exchange(true, std::memory_order_acq_rel))
        loop_.post(*this);
    }
  }

  void expired() noexcept override {
    const time_point at = loop_.now();
    // one by one, and outside of the lock: receivers may set and cancel
    while (unique_delayed_event_ptr due = take_due(at))
      ship(*due);
    look(); // it may be posted, and is until the loop has run it
  }

  unique_delayed_event_ptr take_due(time_point at) noexcept {
    const std::lock_guard lock(mutex_);
    const auto first = schedule_.begin();
    if (first == schedule_.end() || first->first > at)
      return nullptr;
    unique_delayed_event_ptr due = std::move(first->second);
    if (due->backlink != actor_lookup_.end())
      actor_lookup_.erase(due->backlink);
    schedule_.erase(first);
    count_.store(schedule_.size(), std::memory_order_relaxed);
    return due;
  }

  loop& loop_;
  std::mutex mutex_;
  time_point armed_for_ = time_point::max(); // guarded by mutex_
  std::atomic<std::size_t> count_{0};
  std::atomic<bool> posted_{false};
  bool detached_ = false; // on the loop
};

loop_clock::loop_clock(runtime& rt) : time_(rt.time()) {
  for (std::size_t i = 0; i < rt.size(); ++i)
    shards_.push_back(std::make_unique<shard>(rt.at(i)));
}

loop_clock::~loop_clock() = default;

loop_clock::shard& loop_clock::of(caf::actor_id id) noexcept {
  return *shards_[id % shards_.size()];
}

void loop_clock::detach(std::size_t index) noexcept { shards_[index]->detach(); }

time_point loop_clock::now() const noexcept { return time_ ? time_->now() : clock::now(); }

void loop_clock::set_ordinary_timeout(time_point t, caf::abstract_actor* self, caf::atom_value type,
                                      std::uint64_t id) {
  of(self->id()).add([&](actor_clock& c) { c.set_ordinary_timeout(t, self, type, id); });
}

void loop_clock::set_multi_timeout(time_point t, caf::abstract_actor* self, caf::atom_value type,
                                   std::uint64_t id) {
  of(self->id()).add([&](actor_clock& c) { c.set_multi_timeout(t, self, type, id); });
}

void loop_clock::set_request_timeout(time_point t, caf::abstract_actor* self, caf::message_id id) {
  of(self->id()).add([&](actor_clock& c) { c.set_request_timeout(t, self, id); });
}

void loop_clock::cancel_ordinary_timeout(caf::abstract_actor* self, caf::atom_value type) {
  of(self->id()).cancel([&](actor_clock& c) { c.cancel_ordinary_timeout(self, type); });
}

void loop_clock::cancel_request_timeout(caf::abstract_actor* self, caf::message_id id) {
  of(self->id()).cancel([&](actor_clock& c) { c.cancel_request_timeout(self, id); });
}

void loop_clock::cancel_timeouts(caf::abstract_actor* self) {
  of(self->id()).cancel([&](actor_clock& c) { c.cancel_timeouts(self); });
}

void loop_clock::schedule_message(time_point t, caf::strong_actor_ptr receiver,
                                  caf::mailbox_element_ptr content) {
  of(receiver->id()).add([&](actor_clock& c) {
    c.schedule_message(t, std::move(receiver), std::move(content));
  });
}

void loop_clock::schedule_message(time_point t, caf::group target, caf::strong_actor_ptr sender,
                                  caf::message content) {
  // groups have no id; any loop will do
  shards_.front()->add([&](actor_clock& c) {
    c.schedule_message(t, std::move(target), std::move(sender), std::move(content));
  });
}

void loop_clock::cancel_all() {
  for (auto& s : shards_)
    s->clear();
}

} // namespace troupe::detail
