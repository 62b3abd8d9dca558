// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "supervisor_core.hpp"

namespace troupe {

/// A child, from its being added to its being forgotten, with one life after the other.
struct supervisor::core::child {
  child(const supervisor_options& o, const child_spec& s, std::uint64_t number)
    : options(o), spec(s), serial(number) {
    if (options.backoff)
      delays.emplace(*options.backoff);
  }
  child(const child&) = delete;
  child& operator=(const child&) = delete;

  /// A new life.
  void begin() {
    failure = nullptr;
    completed = ready = asked_to_stop = discarded = false;
    now = child_info::state::starting;
    began = current_time();
  }

  void is_ready() {
    ready = true;
    tell();
  }

  /// Wakes those who wait for a change of its life.
  void tell() {
    changed->set();
    changed.emplace();
  }

  /// Whether a life needs a nursery: to be asked to end, or for another task.
  [[nodiscard]] bool needs_nursery() const noexcept {
    return !spec.start.plain() || spec.loop || spec.grace > duration::zero();
  }

  void ask_to_stop() noexcept {
    constexpr const char* reason = "its supervisor stops it";
    asked_to_stop = true;
    if (alone)
      return alone.cancel(reason);
    if (!life)
      return; // looks before it begins
    try {
      if (spec.grace > duration::zero())
        return life->stop(spec.grace, reason);
    } catch (...) { // NOLINT(bugprone-empty-catch): no memory to be gentle
    }
    life->cancel(reason);
  }

  /// Whether nothing is left of it when it has ended for good.
  [[nodiscard]] bool is_forgotten(bool simple) const noexcept {
    return simple || spec.restarts == restart::temporary;
  }

  [[nodiscard]] duration next_delay(time_point at) {
    if (!delays)
      return duration::zero();
    if (at - began >= options.backoff->reset_after)
      delays->reset();
    return delays->next().value_or(options.backoff->max_delay);
  }

  const supervisor_options& options;
  const child_spec spec;
  const std::uint64_t serial; // the order of the children
  child_info::state now = child_info::state::stopped;
  bool alive = false;         // a life is under way
  bool ready = false;         // and what follows of this life
  bool completed = false;     // has returned
  bool asked_to_stop = false; // by the supervisor
  bool discarded = false;     // nobody wants it any more
  bool has_ended = false;     // is in `ended_`
  std::exception_ptr failure;
  nursery* life = nullptr;
  task_handle<void> alone; // a life without a nursery
  caf::actor address;
  std::optional<event> changed{std::in_place}; // the next time that it is ready, or over
  time_point began = {};
  time_point due = {}; // if it waits
  std::size_t restarts = 0;
  child* ended_before = nullptr;
  child* ended_behind = nullptr;
  std::optional<backoff> delays;
  std::list<child>::iterator self = {};
};

inline void supervisor::core::ended_list::push_back(child& c) noexcept {
  c.has_ended = true;
  c.ended_before = last_;
  c.ended_behind = nullptr;
  (last_ ? last_->ended_behind : first_) = &c;
  last_ = &c;
}

inline bool supervisor::core::ended_list::remove(child& c) noexcept {
  if (!c.has_ended)
    return false;
  c.has_ended = false;
  (c.ended_before ? c.ended_before->ended_behind : first_) = c.ended_behind;
  (c.ended_behind ? c.ended_behind->ended_before : last_) = c.ended_before;
  return true;
}

} // namespace troupe
