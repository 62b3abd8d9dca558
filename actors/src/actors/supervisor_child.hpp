// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "supervisor_core.hpp"

namespace troupe {

/// A child, from its being added to its being forgotten, with one life after the other.
struct supervisor::core::child {
  child(const supervisor_options& o, const child_spec& s, std::uint64_t number)
    : options(o), spec(s), serial(number), place(1, this) {
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
    changed.emplace();
    over.emplace();
  }

  void ask_to_stop() noexcept {
    constexpr const char* reason = "its supervisor stops it";
    asked_to_stop = true;
    if (!life)
      return; // looks before it begins
    try {
      if (spec.grace > duration::zero())
        return life->stop(spec.grace, reason);
    } catch (...) { // NOLINT(bugprone-empty-catch): no memory to be gentle
    }
    life->cancel(reason);
  }

  /// Takes it out of `ended`. Returns whether it was there.
  bool looked_at(std::list<child*>& ended) noexcept {
    if (!place.empty())
      return false;
    place.splice(place.end(), ended, position);
    return true;
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
  std::exception_ptr failure;
  nursery* life = nullptr;
  caf::actor address;
  std::optional<event> changed; // ready, or over
  std::optional<event> over;
  time_point began = {};
  time_point due = {}; // if it waits
  std::size_t restarts = 0;
  std::optional<backoff> delays;
  std::list<child*>
    place; // its node, when it is not in `ended_`: no end is lost for want of memory
  std::list<child*>::iterator position = place.begin();
  std::list<child>::iterator self = {};
};

} // namespace troupe
