// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/chat/service.hpp>
#include <troupe/mailbox.hpp>

#include <string>

namespace troupe::chat {

/// One life of a room: passes on what is said, to its members, when it is in the history. A
/// checkpoint.
[[nodiscard]] task<> run_room(mailbox& in, service::core& c, std::string name);

} // namespace troupe::chat
