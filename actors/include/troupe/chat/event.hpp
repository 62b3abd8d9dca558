// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actor.hpp>
#include <troupe/messages.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace troupe::chat {

/// What an `event` tells.
enum class event_kind : std::uint8_t {
  notice,    ///< `text`, from the service to this client
  welcome,   ///< the client has its name, `nick`
  entered,   ///< the client is in `room` now; the lines before it are `old`; `names` are
             ///< its members
  line,      ///< `nick` has said `text` in `room`
  whisper,   ///< `nick` has said `text` to `to` alone; it is kept nowhere
  joined,    ///< `nick` is in `room` now
  left,      ///< `nick` is not any more; `text` may say why
  members,   ///< `names` are in `room`
  rooms,     ///< `names` are the rooms, each with a blank and the number of its members behind
  trouble,   ///< lines are not kept right now; `text` says why
  recovered, ///< lines are kept again; `text` says what was lost
  goodbye,   ///< the service ends, or has given the client up; `text` says why
};

/// What a client hears.
struct event {
  event_kind what = event_kind::notice;
  std::string room = {};
  std::string nick = {};
  std::string to = {};
  std::string text = {};
  std::int64_t id = 0; ///< of a line: microseconds since 1970, growing within its room
  bool kept = false;   ///< of a line: it is in the history, durably
  bool old = false;    ///< of a line: it was said before the client came
  std::vector<std::string> names = {};
};

/// Asks the service, at `service::address`, for a seat; the answer is a `caf::actor`. From then on
/// `client` hears events, each as a request, the next one when it has answered (which CAF does for
/// a handler that gives nothing), and says lines by sending `input` to the seat. The seat ends
/// with the client, and the client hears `goodbye` before the seat ends.
struct connect {
  std::string nick;
  caf::actor client;
};

/// What an actor says to its seat: a line as others type it, "hello" or "/join den".
struct input {
  std::string line;
};

/// As a line of text without its end, as it is written to TCP connections: "ann: hello",
/// "* ann has left".
[[nodiscard]] std::string to_text(const event& e);

/// As a JSON object, as it is written to WebSockets.
[[nodiscard]] std::string to_json(const event& e);

/// The same, behind what `to` holds already.
void append_text(std::string& to, const event& e);
void append_json(std::string& to, const event& e);

} // namespace troupe::chat

TROUPE_MESSAGES(troupe_chat, 60'200, troupe::chat::event, troupe::chat::connect,
                troupe::chat::input)
