// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/chat/service.hpp>
#include <troupe/mailbox.hpp>

namespace troupe::chat {

/// One life of the hub: knows who has which name and who is in which room, and opens and closes
/// rooms, as their supervisor. A checkpoint.
[[nodiscard]] task<> run_hub(mailbox& in, service::core& c);

} // namespace troupe::chat
