// SPDX-License-Identifier: BSD-3-Clause
// What the parts of a chat say to each other, and what outlives each of them.
#pragma once

#include "scribe.hpp"

#include <troupe/actors/keeper.hpp>
#include <troupe/chat/service.hpp>

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace troupe::chat {

// -- messages

struct claim { // to the hub: may I be called this? A bool.
  std::string nick;
  caf::actor client;
  std::string from;
};
struct too_slow { // to the hub, about the sender
  caf::actor client;
};
struct enter { // to the hub: the room of this name; null if there are too many
  std::string room;
  caf::actor client;
};
struct whisper_to { // to the hub: whether there is such a person
  event what;
};
struct list_rooms {}; // to the hub: an event
struct join {         // to a room: when it is answered, the client is a member
  std::string nick;
  caf::actor client;
};
struct leave { // to a room: when it is answered, the client is none
  caf::actor client;
  std::string why;
};
struct say { // to a room; `number` grows with each line of the client
  caf::actor client;
  std::uint64_t number;
  std::string text;
};
struct who {};    // to a room: an event
struct now_kept { // to a room: its lines up to this one are in the history
  std::int64_t id;
};
struct store_state { // to a room: the store is in trouble, or is not any more
  bool trouble;
  std::string text;
};
struct moved { // to a client: its room has crashed, and is here now
  caf::actor room;
  std::string name;
};
struct refused { // to a client: its line is not said
  std::uint64_t number;
  std::string why;
};
struct hang_up {}; // to a client, by itself: when all is written

// -- state

/// What survives the crash of a room.
struct room_state {
  struct member {
    std::string nick;
    caf::actor address;
    std::uint64_t last_line = 0; // that was said
  };
  struct waiting_line {
    history_line line;
    bool lost = false; // for the history: its backlog was full
  };
  enum class fate : std::uint8_t { kept, waits, lost };
  struct shown_line {
    history_line line;
    fate known = fate::kept;
  };
  struct unfinished { // what was handled when the room crashed
    caf::actor client;
    std::uint64_t number = 0;
  };

  std::map<caf::actor_addr, member> members;
  std::deque<shown_line> recent;    // what newcomers hear
  std::deque<waiting_line> waiting; // for the history
  std::optional<unfinished> handling;
  std::int64_t last_id = 0;
  bool opened = false; // what was said when it was open before is in `waiting`
  bool loaded = false; // `recent` has what the history has
};

/// What survives the crash of the hub.
struct hub_state {
  struct client {
    std::string nick;
    std::string room;
    caf::actor address;
    bool slow = false;
  };
  std::map<caf::actor_addr, client> clients;
  std::map<std::string, caf::actor> names; // folded
};

/// An address that any thread may ask for.
class posted_address {
public:
  void set(caf::actor a) {
    const std::scoped_lock lock(mutex_);
    address_ = std::move(a);
  }
  [[nodiscard]] caf::actor get() const {
    const std::scoped_lock lock(mutex_);
    return address_;
  }

private:
  mutable std::mutex mutex_;
  caf::actor address_;
};

class service::core {
public:
  core(std::unique_ptr<history_store> s, const service_options& o);

  void log(const std::string& what) const;
  [[nodiscard]] std::int64_t now() const;

  service_options options;
  std::unique_ptr<history_store> store;

  // for the loop of the service
  struct open_room {
    keeper<std::unique_ptr<room_state>> state;
    caf::actor address; // null between two lives
    std::size_t clients = 0;
  };
  std::map<std::string, open_room> rooms;
  keeper<std::unique_ptr<hub_state>> hub_keeper;
  statistics_type numbers;
  chat::scribe scribe;

  // for all
  posted_address hub;
  posted_address reception;
};

} // namespace troupe::chat

TROUPE_MESSAGES(troupe_chat_inside, 60'220, troupe::chat::claim, troupe::chat::too_slow,
                troupe::chat::enter, troupe::chat::whisper_to, troupe::chat::list_rooms,
                troupe::chat::join, troupe::chat::leave, troupe::chat::say, troupe::chat::who,
                troupe::chat::now_kept, troupe::chat::store_state, troupe::chat::moved,
                troupe::chat::refused, troupe::chat::hang_up)
