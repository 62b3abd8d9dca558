// SPDX-License-Identifier: BSD-3-Clause
// A chat service of actors, shared by the programs `chat` and `services`: the hub knows
// names and rooms, each room its members and its history, each client a connection.
// They share nothing: a room sends lines to the mailboxes of its members, which are
// bounded, so that nobody can hold it up; and all learn from CAF when somebody is gone.
#pragma once

#include <troupe/troupe.hpp>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace chat {

inline constexpr std::size_t line_limit = 1000;  // bytes
inline constexpr std::size_t nick_limit = 20;    // bytes
inline constexpr std::size_t mail_limit = 200;   // lines, beyond which a client is dropped
inline constexpr std::size_t history_limit = 20; // lines that a newcomer hears
inline constexpr std::size_t room_limit = 1000;  // rooms, so that they are bounded too

// -- messages

struct claim { // to the hub: may I be called this? A bool.
  std::string nick;
  caf::actor client;
  std::string from;
};
struct too_slow { // to the hub, about the sender
  caf::actor client;
};
struct enter { // to the hub: the room of this name, a caf::actor; null if there are too many
  std::string room;
  caf::actor client;
};
struct join { // to a room
  std::string nick;
  caf::actor client;
};
struct leave { // to a room
  caf::actor client;
};
struct say { // to a room
  caf::actor client;
  std::string text;
};
struct who {}; // to a room: the nick names, a std::string
struct hear {  // to a client
  std::string line;
};
struct hang_up {}; // to a client, by itself: when all is written
struct close {};   // to a room: nobody is in it any more

} // namespace chat

TROUPE_MESSAGES(chat, 100, chat::claim, chat::too_slow, chat::enter, chat::join, chat::leave,
                chat::say, chat::who, chat::hear, chat::hang_up, chat::close)

namespace chat {

/// True if `text` is UTF-8: no stray bytes, no overlong forms, no surrogates.
inline bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i++]);
    if (first < 0x80)
      continue;
    const int more = first >= 0xf0 && first <= 0xf4  ? 3
                     : first >= 0xe0 && first < 0xf0 ? 2
                     : first >= 0xc2 && first < 0xe0 ? 1
                                                     : 0;
    if (more == 0 || text.size() - i < static_cast<std::size_t>(more))
      return false;
    unsigned long point = first & (0x3fU >> more);
    for (int k = 0; k < more; ++k) {
      const auto next = static_cast<unsigned char>(text[i++]);
      if ((next & 0xc0U) != 0x80)
        return false;
      point = point << 6 | (next & 0x3fU);
    }
    if ((more == 2 && (point < 0x800 || (point >= 0xd800 && point < 0xe000)))
        || (more == 3 && (point < 0x10000 || point > 0x10ffff)))
      return false;
  }
  return true;
}

/// Names of people and rooms.
inline bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= nick_limit && text.front() != '/'
         && std::none_of(text.begin(), text.end(),
                         [](unsigned char c) { return c <= ' ' || c == 0x7f; });
}

// -- a room

/// Passes on what is said, to its members.
class room {
public:
  explicit room(std::string name) : name_(std::move(name)) {}

  static troupe::task<> run(troupe::mailbox& in, std::string name) {
    room r(std::move(name));
    co_await in.serve([&](join m) { r.add(std::move(m)); },
                      [&](const leave& m) {
                        troupe::demonitor(m.client);
                        r.remove(m.client.address());
                      },
                      [&](const caf::down_msg& gone) { r.remove(gone.source); },
                      [&](const say& m) { r.pass_on(m); }, [&](who) { return r.names(); },
                      [&](close) { in.close(); });
  }

private:
  struct member {
    std::string nick;
    caf::actor address;
  };

  void add(join m) {
    for (const std::string& old : history_)
      troupe::send(m.client, hear{old});
    troupe::send(m.client, hear{"* you are in " + name_ + "; commands: /who, /join ROOM, /quit"});
    tell_all("* " + m.nick + " has joined " + name_);
    troupe::monitor(m.client);
    members_[m.client.address()] = {std::move(m.nick), m.client};
  }

  void remove(const caf::actor_addr& who) {
    const auto found = members_.find(who);
    if (found == members_.end())
      return;
    const std::string nick = found->second.nick;
    members_.erase(found);
    tell_all("* " + nick + " has left " + name_);
  }

  void pass_on(const say& m) {
    const auto sender = members_.find(m.client.address());
    if (sender == members_.end())
      return;
    const std::string line = sender->second.nick + ": " + m.text;
    history_.push_back(line);
    if (history_.size() > history_limit)
      history_.pop_front();
    for (const auto& [address, other] : members_)
      if (address != sender->first)
        troupe::send(other.address, hear{line});
  }

  void tell_all(const std::string& line) {
    for (const auto& [address, m] : members_)
      troupe::send(m.address, hear{line});
  }

  [[nodiscard]] std::string names() const {
    std::string all = "in " + name_ + ":";
    for (const auto& [address, m] : members_)
      all += " " + m.nick;
    return all;
  }

  std::string name_;
  std::deque<std::string> history_;
  std::map<caf::actor_addr, member> members_;
};

// -- the hub

/// Knows who has which name and who is in which room, and opens and closes rooms.
class hub {
public:
  using logger = std::function<void(const std::string&)>;

  static troupe::task<> run(troupe::mailbox& in, logger log) {
    co_await troupe::with_nursery([&](troupe::nursery& rooms) -> troupe::task<> {
      hub h(rooms, log);
      co_await in.serve([&](claim m) { return h.admit(std::move(m)); },
                        [&](const enter& m) { return h.open(m); },
                        [&](const too_slow& m) { h.clients_[m.client.address()].slow = true; },
                        [&](const caf::down_msg& gone) { h.forget(gone.source); });
    });
  }

private:
  struct client {
    std::string nick;
    std::string room;
    bool slow = false;
  };
  struct open_room {
    caf::actor address;
    std::size_t clients = 0;
  };

  hub(troupe::nursery& rooms, logger& log) : nursery_(rooms), log_(log) {}

  bool admit(claim m) {
    for (const auto& [address, c] : clients_)
      if (c.nick == m.nick)
        return false;
    troupe::monitor(m.client);
    log_(m.nick + " has come from " + m.from);
    clients_[m.client.address()].nick = std::move(m.nick);
    return true;
  }

  caf::actor open(const enter& m) {
    if (rooms_.size() >= room_limit && !rooms_.contains(m.room))
      return {};
    client& c = clients_[m.client.address()];
    open_room& r = rooms_[m.room];
    if (!r.address)
      r.address =
        nursery_.start_actor(troupe::named("room " + m.room, room::run), m.room).address();
    ++r.clients;
    const std::string before = std::exchange(c.room, m.room);
    count_out(before);
    log_(c.nick + " has joined " + m.room);
    return r.address;
  }

  void forget(const caf::actor_addr& who) {
    const client gone = clients_[who];
    clients_.erase(who);
    count_out(gone.room);
    log_(gone.nick + (gone.slow ? " was too slow and was dropped" : " has left"));
  }

  void count_out(const std::string& name) {
    const auto found = rooms_.find(name);
    if (found == rooms_.end() || --found->second.clients != 0 || name == "lobby")
      return;
    troupe::send(found->second.address, close{});
    rooms_.erase(found);
  }

  troupe::nursery& nursery_;
  logger& log_;
  std::map<caf::actor_addr, client> clients_;
  std::map<std::string, open_room> rooms_;
};

// -- a client

/// One connection: what the client says goes to its room, what is in its mailbox is
/// written to it.
class session {
public:
  /// A handler for `serve_tcp`, for clients of the hub at `hub_address`.
  static troupe::tcp_handler handler(caf::actor hub_address) {
    const auto serve = [hub_address](troupe::tcp_stream& peer) { return run(peer, hub_address); };
    return troupe::tcp_handler(serve);
  }

  /// The same for `serve_tls`.
  static troupe::tls_handler secure_handler(caf::actor hub_address) {
    const auto serve = [hub_address](troupe::tls_stream& peer) { return run(peer, hub_address); };
    return troupe::tls_handler(serve);
  }

private:
  session(troupe::stream& peer, caf::actor hub_address, troupe::mailbox& in)
    : peer_(peer), hub_(std::move(hub_address)), in_(in), me_(in.address()) {}

  static troupe::task<> run(troupe::stream& peer, caf::actor hub_address) {
    using namespace std::chrono_literals;
    troupe::mailbox in = troupe::this_mailbox();
    in.bound(mail_limit, troupe::when_full::reject);
    session s(peer, std::move(hub_address), in);
    co_await troupe::with_cleanup([&]() -> troupe::task<> { co_await s.talk(); },
                                  [&]() -> troupe::task<> {
                                    // cancelled from above: the service ends
                                    if (troupe::current_cancel_reason() && !s.writing_ && !s.slow_)
                                      co_await troupe::move_on_after(
                                        500ms, [&] { return s.say_goodbye(); });
                                    co_await s.peer_.close();
                                  },
                                  1s);
  }

  troupe::task<> say_goodbye() {
    try {
      co_await peer_.write_all("* the server is shutting down, goodbye\n");
    } catch (const troupe::net_error&) { // NOLINT(bugprone-empty-catch): it has left first
    }
  }

  troupe::task<> talk() {
    using namespace std::chrono_literals;
    try {
      co_await troupe::with_nursery([&](troupe::nursery& n) -> troupe::task<> {
        n.start_soon(troupe::named("writer", [this] { return write(); }));
        n.start_service(troupe::named("watch", [this] { return cut_off_when_slow(); }));
        co_await read();
        troupe::send(me_, hang_up{});
        n.scope().deadline(troupe::current_time() + 2s); // however slow it reads
      });
    } catch (const troupe::net_error&) { // NOLINT(bugprone-empty-catch): it has left
    } catch (const troupe::exception_group& all) {
      if (!all.find<troupe::net_error>()) // reader and writer saw it leave together
        throw;
    }
  }

  troupe::task<> write() {
    co_await in_.serve(
      [this](hear m) -> troupe::task<> {
        writing_ = true;
        co_await peer_.write_all(m.line + "\n");
        writing_ = false;
      },
      [this](hang_up) { in_.close(); });
  }

  /// A client that does not read has a full mailbox: its room never waits for it.
  troupe::task<> cut_off_when_slow() {
    co_await in_.overflow();
    slow_ = true;
    troupe::send(hub_, too_slow{me_});
    peer_.abort(); // reader and writer get stream_closed and leave
  }

  troupe::task<> read() {
    troupe::buffered_reader lines(peer_, line_limit);
    tell("* welcome! what is your nick name?");
    for (;;) {
      bool too_long = false;
      try {
        const auto line = co_await lines.read_line();
        if (!line || *line == "/quit")
          break;
        co_await obey(*line);
      } catch (const troupe::limit_overrun& e) {
        tell("* the line was dropped: more than " + std::to_string(e.limit()) + " bytes");
        too_long = true;
      }
      if (too_long && !co_await lines.skip_line())
        break;
    }
    tell("* goodbye");
  }

  troupe::task<> obey(std::string line) {
    using namespace std::chrono_literals;
    if (!is_utf8(line)) {
      tell("* the line was dropped: it is not UTF-8");
      co_return;
    }
    for (char& x : line) // no escape sequences into other people's terminals
      if (std::iscntrl(static_cast<unsigned char>(x)))
        x = x == '\t' ? ' ' : '?';
    if (nick_.empty())
      co_await greet(line);
    else if (line == "/who")
      tell("* " + co_await troupe::request<std::string>(room_, 5s, who{}));
    else if (line.starts_with("/join "))
      co_await go_to(line.substr(6));
    else if (line.starts_with("/"))
      tell("* commands: /who, /join ROOM, /quit");
    else if (!line.empty())
      troupe::send(room_, say{me_, line});
  }

  troupe::task<> greet(std::string nick) {
    using namespace std::chrono_literals;
    if (!is_name(nick)) {
      tell("* a nick name has 1 to " + std::to_string(nick_limit)
           + " bytes, no blanks, and no / in front; try another");
      co_return;
    }
    const claim mine{nick, me_, peer_.peer()};
    if (!co_await troupe::request<bool>(hub_, 5s, mine)) {
      tell("* " + nick + " is taken; try another");
      co_return;
    }
    nick_ = nick;
    co_await go_to("lobby");
  }

  troupe::task<> go_to(std::string name) {
    using namespace std::chrono_literals;
    if (!is_name(name)) {
      tell("* a room has a name like a nick name");
      co_return;
    }
    if (name == room_name_)
      co_return;
    const enter wish{name, me_};
    caf::actor next = co_await troupe::request<caf::actor>(hub_, 5s, wish);
    if (!next) {
      tell("* there are too many rooms");
      co_return;
    }
    if (room_)
      troupe::send(room_, leave{me_});
    room_ = std::move(next);
    room_name_ = std::move(name);
    troupe::send(room_, join{nick_, me_});
  }

  void tell(std::string line) { troupe::send(me_, hear{std::move(line)}); }

  troupe::stream& peer_;
  caf::actor hub_;
  troupe::mailbox& in_;
  caf::actor me_;
  caf::actor room_;
  std::string room_name_;
  std::string nick_;     // empty until it has one
  bool slow_ = false;    // and so dropped
  bool writing_ = false; // in the middle of a line
};

} // namespace chat
