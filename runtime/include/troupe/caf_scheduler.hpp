// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <caf/actor_system.hpp>

namespace troupe {

/// The loops of troupe as the scheduler of an ordinary CAF program:
///
///     caf::actor_system_config config;
///     config.load<troupe::caf_scheduler>();
///     caf::actor_system system{config};
///
/// Nothing else changes. There is one loop per core, or as many as
/// `scheduler.max-threads` says; an actor runs where it was woken, and a loop that
/// sleeps takes over half of what waits on a busy one. Delayed sends and request
/// timeouts use the timers of the loops.
///
/// A program of tasks does not need this: `troupe::actor_system` gives it an actor
/// system on the loops that it runs on.
class caf_scheduler : public caf::actor_system::module {
public:
  /// For `caf::actor_system_config::load`. Throws `std::bad_alloc`.
  static caf::actor_system::module* make(caf::actor_system& sys, caf::detail::type_list<> /*none*/);
};

} // namespace troupe
