// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/child_spec.hpp>
#include <troupe/clock.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>

namespace troupe {

/// Something that has happened to a supervisor's child.
struct supervisor_event {
  enum class kind {
    started,   ///< is ready, for the first time or because it was asked for
    restarted, ///< is ready again after its end
    ended,     ///< has returned
    failed,    ///< has thrown `error`, or was cancelled by somebody else (no `error`)
    stopped,   ///< has ended because the supervisor has stopped it
    gave_up,   ///< was to be started again, but that would be too often
  };

  kind what = kind::started;
  std::string child;
  std::exception_ptr error = {};
  std::size_t restarts = 0; ///< of this child so far
  time_point at = {};
  std::uint64_t missed = 0; ///< events that a channel has not taken before this one
};

/// "child 'db' has failed: cannot connect to ...".
[[nodiscard]] std::string describe(const supervisor_event& e);

/// What a supervisor knows of a child.
struct child_info {
  enum class state {
    starting, ///< not ready yet
    running,
    waiting, ///< to be started again later
    stopped, ///< by the supervisor
    ended,   ///< by itself
  };

  std::string name;
  state now = state::starting;
  restart restarts_when = restart::permanent;
  bool significant = false;
  std::size_t restarts = 0;
  caf::actor address = {}; ///< of a child that is an actor and runs
};

} // namespace troupe
