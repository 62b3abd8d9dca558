// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/supervisor_event.hpp>
#include <troupe/messages.hpp>

#include <string>
#include <vector>

namespace troupe {

// Requests to an actor that runs `supervisor::serve`. All are answered by an error where the call
// of the same name throws.

/// `start_child`, with what the `child_factory` makes of this. Answered with the child's
/// `caf::actor` when it is ready, a null one if the child is no actor.
struct child_start_request {
  std::string name;
  std::string kind;     ///< what the factory knows it by
  std::string argument; ///< and what it needs beside that
};
/// `stop_child`. Answered with nothing when it has ended.
struct child_stop_request {
  std::string name;
};
/// `restart_child`. Answered as `child_start_request`.
struct child_restart_request {
  std::string name;
};
/// `delete_child`. Answered with nothing.
struct child_delete_request {
  std::string name;
};
/// `children`. Answered with a `child_list`.
struct child_list_request {};

struct child_list {
  std::vector<child_info> children; ///< in the order of their start
};

} // namespace troupe

TROUPE_MESSAGES(troupe_supervisor, 60130, troupe::child_start_request, troupe::child_stop_request,
                troupe::child_restart_request, troupe::child_delete_request,
                troupe::child_list_request, troupe::child_info, troupe::child_list)
