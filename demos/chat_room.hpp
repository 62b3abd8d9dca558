// SPDX-License-Identifier: BSD-3-Clause
// A chat service, shared by the programs `chat` and `services`: one task reads what
// a client says, another writes what it is to hear. All of them run on one loop, so
// rooms and names are plain data without a lock.
#pragma once

#include <troupe/troupe.hpp>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace chat {

inline constexpr std::size_t line_limit = 1000;  // bytes
inline constexpr std::size_t nick_limit = 20;    // bytes
inline constexpr std::size_t outbox_limit = 200; // lines, beyond which a client is dropped
inline constexpr std::size_t history_limit = 20; // lines that a newcomer hears
inline constexpr std::size_t room_limit = 1000;  // rooms, so that they are bounded too

struct client {
  explicit client(troupe::stream& s) : peer(s) {}

  /// Nothing more to hear: the writer ends when all is written.
  void end() {
    leaving = true;
    box.tx.close();
  }

  /// A client that does not read is cut off; the room never waits for it.
  void hear(const std::string& line) {
    if (dropped || leaving || box.tx.try_send(line + "\n"))
      return;
    dropped = true;
    peer.abort(); // its tasks get stream_closed and leave
  }

  troupe::stream& peer;
  troupe::channel_ends<std::string> box = troupe::make_channel<std::string>(outbox_limit);
  std::string nick; // empty until it has one
  std::string room;
  bool dropped = false; // too slow
  bool leaving = false;
  bool writing = false; // in the middle of a line
};

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

/// Who is there, and what was said.
class server {
public:
  /// `log` hears what happens, a line at a time.
  explicit server(std::function<void(const std::string&)> log) : log_(std::move(log)) {}

  /// Runs one client to its end: a handler for `serve_tcp`.
  troupe::task<> session(troupe::stream& peer) {
    using namespace std::chrono_literals;
    client c(peer);
    const leave_at_end guard{*this, c};
    co_await troupe::with_cleanup([&]() -> troupe::task<> { co_await run(c); },
                                  [&]() -> troupe::task<> {
                                    // cancelled from above: the service ends
                                    if (troupe::current_cancel_reason() && !c.writing && !c.dropped)
                                      co_await troupe::move_on_after(
                                        500ms, [&] { return say_goodbye(c); });
                                    co_await c.peer.close();
                                  },
                                  1s);
  }

private:
  struct room {
    std::deque<std::string> history;
    std::set<client*> members;
  };

  struct leave_at_end {
    server& chat;
    client& who;
    ~leave_at_end() { chat.leave(who); }
  };

  static troupe::task<> say_goodbye(client& c) {
    try {
      co_await c.peer.write_all("* the server is shutting down, goodbye\n");
    } catch (const troupe::net_error&) { // NOLINT(bugprone-empty-catch): it has left first
    }
  }

  troupe::task<> run(client& c) {
    using namespace std::chrono_literals;
    try {
      co_await troupe::with_nursery([&](troupe::nursery& n) -> troupe::task<> {
        n.start_soon(troupe::named("writer", &server::write), std::ref(c));
        co_await read(c);
        c.end();
        n.scope().deadline(troupe::current_time() + 2s); // however slow it reads
      });
    } catch (const troupe::net_error&) { // NOLINT(bugprone-empty-catch): it has left
    } catch (const troupe::exception_group& all) {
      if (!all.find<troupe::net_error>()) // reader and writer saw it leave together
        throw;
    }
  }

  static troupe::task<> write(client& c) {
    while (const auto line = co_await c.box.rx.next()) {
      c.writing = true;
      co_await c.peer.write_all(*line);
      c.writing = false;
    }
  }

  troupe::task<> read(client& c) {
    troupe::line_reader lines(c.peer, line_limit);
    c.hear("* welcome! what is your nick name?");
    for (;;) {
      bool too_long = false;
      try {
        const auto line = co_await lines.read_line();
        if (!line || *line == "/quit")
          break;
        obey(c, *line);
      } catch (const troupe::line_too_long& e) {
        c.hear("* the line was dropped: more than " + std::to_string(e.limit()) + " bytes");
        too_long = true;
      }
      if (too_long && !co_await lines.skip_line())
        break;
    }
    c.hear("* goodbye");
  }

  void obey(client& c, std::string line) {
    if (!is_utf8(line))
      return c.hear("* the line was dropped: it is not UTF-8");
    for (char& x : line) // no escape sequences into other people's terminals
      if (std::iscntrl(static_cast<unsigned char>(x)))
        x = x == '\t' ? ' ' : '?';
    if (c.nick.empty())
      return greet(c, line);
    if (line == "/who")
      return who(c);
    if (line.starts_with("/join "))
      return is_name(line.substr(6)) ? join(c, line.substr(6))
                                     : c.hear("* a room has a name like a nick name");
    if (line.starts_with("/"))
      return c.hear("* commands: /who, /join ROOM, /quit");
    if (!line.empty())
      say(c, c.nick + ": " + line);
  }

  void greet(client& c, const std::string& nick) {
    if (!is_name(nick))
      return c.hear("* a nick name has 1 to " + std::to_string(nick_limit)
                    + " bytes, no blanks, and no / in front; try another");
    if (!nicks_.insert(nick).second)
      return c.hear("* " + nick + " is taken; try another");
    c.nick = nick;
    log_(nick + " has come from " + c.peer.peer());
    join(c, "lobby");
  }

  void join(client& c, const std::string& name) {
    if (c.room == name)
      return;
    if (rooms_.size() >= room_limit && !rooms_.contains(name))
      return c.hear("* there are too many rooms");
    leave_room(c);
    room& r = rooms_[name];
    c.room = name;
    for (const std::string& old : r.history)
      c.hear(old);
    r.members.insert(&c);
    c.hear("* you are in " + name + "; commands: /who, /join ROOM, /quit");
    tell(c, "* " + c.nick + " has joined " + name);
    log_(c.nick + " has joined " + name);
  }

  void leave_room(client& c) {
    if (c.room.empty())
      return;
    room& r = rooms_[c.room];
    r.members.erase(&c);
    tell(c, "* " + c.nick + " has left " + c.room);
    if (r.members.empty() && c.room != "lobby")
      rooms_.erase(c.room);
    c.room.clear();
  }

  void leave(client& c) {
    leave_room(c);
    if (nicks_.erase(c.nick) != 0)
      log_(c.nick + (c.dropped ? " was too slow and was dropped" : " has left"));
  }

  void who(client& c) {
    std::string names;
    for (const client* m : rooms_[c.room].members)
      names += " " + m->nick;
    c.hear("* in " + c.room + ":" + names);
  }

  void say(client& c, const std::string& line) {
    room& r = rooms_[c.room];
    r.history.push_back(line);
    if (r.history.size() > history_limit)
      r.history.pop_front();
    tell(c, line);
  }

  /// To all others in the room of `c`.
  void tell(client& c, const std::string& line) {
    for (client* m : rooms_[c.room].members)
      if (m != &c)
        m->hear(line);
  }

  std::function<void(const std::string&)> log_;
  std::map<std::string, room> rooms_;
  std::set<std::string> nicks_;
};

} // namespace chat
