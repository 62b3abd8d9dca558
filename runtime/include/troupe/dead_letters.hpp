// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/messages.hpp>

#include <caf/actor.hpp>
#include <caf/message.hpp>

#include <cstdint>
#include <string>

namespace troupe {

/// A message that did not reach a task: nobody had a handler for it, its receiver had
/// ended, or a full mailbox has not let it in. Requests are no dead letters: they are
/// answered by an error.
struct dead_letter {
  std::string to;             ///< the name of the receiver
  std::string why;            ///< in words
  caf::message content;       ///< the message
  caf::strong_actor_ptr from; ///< the sender; may be null
};

/// From now on `reader` gets all dead letters of this program, as `dead_letter`
/// messages; bound its mailbox, and they cannot pile up. Ends with the reader. Throws
/// `usage_error` outside of the loops.
void subscribe_dead_letters(const caf::actor& reader);

/// How many there were. Throws as above.
[[nodiscard]] std::uint64_t dead_letter_count();

} // namespace troupe

TROUPE_MESSAGES(troupe_runtime, 60000, troupe::dead_letter)
