// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "actor_connection.hpp"

#include <troupe/chat/service.hpp>

#include <string>

namespace troupe::chat {

/// Serves a client until it leaves, in the mailbox of the current task. `nick`: its first line, if
/// that is known. A checkpoint.
[[nodiscard]] task<> run_session(service::core& c, connection& peer, std::string nick = {});

/// The same for an ordinary actor.
[[nodiscard]] task<> run_seat(service::core& c, connect who);

} // namespace troupe::chat
