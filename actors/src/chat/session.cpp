// SPDX-License-Identifier: BSD-3-Clause
#include "session.hpp"

#include "core.hpp"
#include "words.hpp"

#include <troupe/actors/rate_limiter.hpp>
#include <troupe/cleanup.hpp>
#include <troupe/error.hpp>
#include <troupe/event.hpp>
#include <troupe/exception_group.hpp>
#include <troupe/nursery.hpp>
#include <troupe/time.hpp>

#include <caf/message.hpp>

#include <chrono>
#include <optional>
#include <tuple>
#include <utility>

namespace troupe::chat {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t flush_size = 16384; // bytes that are written at once
constexpr duration answer_limit = 10s;    // of the hub and of rooms, in all their lives
constexpr duration keep_limit = 30s;      // until a line is shown

/// One client: what it says goes to its room, what is in its mailbox is written to it.
class session {
public:
  session(service::core& c, connection& peer, actor_connection* seat, mailbox& in)
    : core_(c), peer_(peer), seat_(seat), in_(in), me_(in.address()),
      limit_(rate_limiter_options{
        .name = "a chat client", .rate = c.options.lines_per_second, .burst = c.options.burst}) {
    in_.bound(core_.options.mail_limit, when_full::reject);
  }

  task<> run(std::string first) {
    co_await with_cleanup([&]() -> task<> { co_await talk(std::move(first)); },
                          [&]() -> task<> {
                            // cancelled from above: the service ends
                            if (current_cancel_reason() && (!writing_ || seat_) && !slow_)
                              co_await move_on_after(500ms, [&] { return say_goodbye(); });
                            co_await peer_.close();
                          },
                          1s);
  }

private:
  task<> say_goodbye() {
    try {
      if (!goodbye_)
        peer_.add({.what = event_kind::goodbye, .text = "the server is shutting down"});
      co_await peer_.flush();
    } catch (const net_error&) { // NOLINT(bugprone-empty-catch): it has left first
    }
  }

  task<> talk(std::string first) {
    try {
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon(named("writer", [this] { return write(); }));
        n.start_service(named("watch", [this] { return cut_off_when_slow(); }));
        n.start_service(named("end", [this] { return leave_when_stopped(); }));
        co_await with_cancel_scope([&](cancel_scope& reading) -> task<> {
          const struct marked {
            cancel_scope*& mark;
            ~marked() { mark = nullptr; }
          } here{reading_ = &reading};
          co_await read(std::move(first));
        });
        send(me_, hang_up{});
        n.scope().deadline(current_time() + 2s); // however slow it reads
      });
    } catch (const net_error&) { // NOLINT(bugprone-empty-catch): it has left
    } catch (const exception_group& all) {
      if (!all.find<net_error>()) // reader and writer saw it leave together
        throw;
    }
  }

  // -- what it hears

  task<> write() {
    bool ended = false;
    std::size_t taken = 0;
    const auto next = [&]() -> task<> {
      ++taken;
      co_await in_.receive([this](const event& e) { hear(e); },
                           [this](const moved& m) {
                             if (m.name != room_name_) // it was left while it was down
                               return send(m.room, leave{me_, {}});
                             room_ = m.room;
                             if (saying_)
                               send(room_, *saying_);
                           },
                           [this](const refused& m) {
                             if (!saying_ || saying_->number != m.number)
                               return;
                             hear({.text = "your line was dropped: " + m.why});
                             said_->set();
                           },
                           [this](const input& m) {
                             if (seat_ && !seat_->feed(m.line))
                               give_up();
                           },
                           [this](const caf::down_msg& /*the actor*/) {
                             if (seat_)
                               seat_->end();
                           },
                           [&](hang_up) { ended = true; }, [](const caf::message& /*no sense*/) {});
    };
    while (!ended) {
      co_await next();
      while (!ended && in_.statistics().size != 0 && peer_.pending() < flush_size)
        co_await next();
      writing_ = true;
      co_await peer_.flush();
      writing_ = false;
    }
  }

  void hear(const event& e) {
    if (!e.room.empty() && e.room != room_name_)
      return; // from a room that it has left, which has crashed on that and not noticed yet
    peer_.add(e);
    goodbye_ = goodbye_ || e.what == event_kind::goodbye;
    if (saying_ && said_ && e.what == event_kind::line && !e.old && e.nick == nick_)
      said_->set(); // one line at a time: it is this one
  }

  /// A client that does not read has a full mailbox: its room never waits for it.
  task<> cut_off_when_slow() {
    co_await in_.overflow();
    give_up();
  }

  void give_up() {
    slow_ = true;
    send(core_.hub.get(), too_slow{me_});
    if (room_)
      send(room_, leave{me_, "too slow"});
    peer_.abort(); // reader and writer get an error and leave
  }

  task<> leave_when_stopped() {
    co_await stopping();
    tell({.what = event_kind::goodbye, .text = "the server is shutting down"});
    if (reading_)
      reading_->cancel("the server is shutting down");
  }

  // -- what it says

  task<> read(std::string first) {
    if (first.empty())
      tell({.text = "welcome! what is your nick name?"});
    else
      co_await greet(std::move(first));
    const time_point latest = current_time() + core_.options.nick_time;
    bool more = true;
    while (more && nick_.empty()) {
      more = false;
      const bool in_time = co_await move_on_at(latest, [&]() -> task<> { more = co_await next(); });
      if (!in_time)
        co_return tell({.what = event_kind::goodbye, .text = "a name would have been nice"});
    }
    while (more)
      more = co_await next();
    tell({.what = event_kind::goodbye});
  }

  /// One line; false at the end.
  task<bool> next() {
    auto in = co_await peer_.read();
    if (in.what == connection::input_line::kind::end || in.text == "/quit")
      co_return false;
    co_await slow_down();
    if (in.what == connection::input_line::kind::too_long
        || in.text.size() > core_.options.line_limit)
      tell({.text = "the line was dropped: more than " + std::to_string(core_.options.line_limit)
                    + " bytes"});
    else if (!is_utf8(in.text))
      tell({.text = "the line was dropped: it is not UTF-8"});
    else {
      make_harmless(in.text);
      if (nick_.empty())
        co_await greet(std::move(in.text));
      else
        co_await obey(std::move(in.text));
    }
    co_return true;
  }

  task<> slow_down() {
    if (limit_.try_acquire())
      co_return;
    if (current_time() >= warn_again_)
      tell({.text = "not so fast: " + std::to_string(core_.options.lines_per_second)
                    + " lines a second; what you say waits"});
    warn_again_ = current_time() + 10s;
    co_await limit_.acquire();
  }

  task<> greet(std::string nick) {
    if (!is_name(nick, core_.options.nick_limit)) {
      tell({.text = "a nick name has 1 to " + std::to_string(core_.options.nick_limit)
                    + " bytes, no blanks, and no / or * in front; try another"});
      co_return;
    }
    const claim mine{nick, me_, peer_.peer()};
    const bool granted = co_await ask_hub<bool>(mine);
    if (!granted) {
      tell({.text = nick + " is taken; try another"});
      co_return;
    }
    nick_ = nick;
    tell({.what = event_kind::welcome, .nick = nick});
    co_await go_to(core_.options.first_room);
  }

  task<> obey(std::string line) {
    if (line.empty())
      co_return;
    if (line.front() != '/')
      co_await say_line(std::move(line));
    else if (line == "/who")
      tell(co_await ask_room<event>(who{}));
    else if (line == "/rooms")
      tell(co_await ask_hub<event>(list_rooms{}));
    else if (line.starts_with("/join "))
      co_await go_to(line.substr(6));
    else if (line.starts_with("/msg "))
      co_await whisper(std::string_view(line).substr(5));
    else
      for (const char* help :
           {"commands: /who (is here), /rooms, /join ROOM, /msg NICK TEXT (in private),",
            "/quit, /help; everything else is said to all in the room"})
        tell({.text = help});
  }

  /// Returns when the line is shown, which is when it is kept, or when the history is in trouble.
  task<> say_line(std::string text) {
    saying_ = say{me_, ++number_, std::move(text)};
    said_.emplace();
    send(room_, *saying_);
    const bool known =
      co_await move_on_after(keep_limit, [this]() -> task<> { co_await said_->wait(); });
    if (!known)
      tell({.text = "the room does not answer; your line may be lost"});
    saying_.reset();
    said_.reset();
  }

  task<> whisper(std::string_view rest) {
    const std::size_t blank = rest.find(' ');
    const std::string to(rest.substr(0, blank));
    if (blank == std::string_view::npos || blank + 1 == rest.size()) {
      tell({.text = "try: /msg NICK TEXT"});
      co_return;
    }
    const whisper_to message{event{.what = event_kind::whisper,
                                   .nick = nick_,
                                   .to = to,
                                   .text = std::string(rest.substr(blank + 1))}};
    const bool there = co_await ask_hub<bool>(message);
    if (!there)
      tell({.text = "there is no " + to});
    else if (folded(to) != folded(nick_))
      tell(message.what); // so it knows
  }

  task<> go_to(std::string name) {
    if (!is_name(name, core_.options.nick_limit)) {
      tell({.text = "a room has a name like a nick name"});
      co_return;
    }
    if (name == room_name_)
      co_return;
    const enter wish{name, me_};
    auto [granted, room] = co_await ask_hub<std::tuple<bool, caf::actor>>(wish);
    if (!granted) {
      tell({.text = "there are too many rooms"});
      co_return;
    }
    const caf::actor before = std::exchange(room_, std::move(room));
    room_name_ = std::move(name);
    if (before) {
      const leave bye{me_, {}};
      try {
        co_await request<void>(before, answer_limit, bye);
      } catch (const actor_error&) { // NOLINT(bugprone-empty-catch): closed behind the last one
      }
    }
    const join hello{nick_, me_};
    co_await ask_room<void>(hello);
  }

  // -- hub and room, which may have crashed and be on their way back

  template <class T, class M>
  task<T> ask_hub(M message) {
    const time_point latest = current_time() + answer_limit;
    int failed = 0;
    for (;;) {
      const caf::actor hub = core_.hub.get();
      if (hub)
        try {
          co_return co_await request<T>(hub, answer_limit, message);
        } catch (const actor_error&) { // it has fallen, perhaps on this
          if (++failed == 3)
            throw;
        }
      if (current_time() >= latest)
        throw std::runtime_error("the hub of the chat does not come back");
      co_await sleep_for(20ms);
    }
  }

  template <class T, class M>
  task<T> ask_room(M message) {
    const time_point latest = current_time() + answer_limit;
    int failed = 0;
    for (;;) {
      if (room_)
        try {
          co_return co_await request<T>(room_, answer_limit, message);
        } catch (const actor_error&) { // it has fallen, perhaps on this
          if (++failed == 3)
            throw;
        }
      if (current_time() >= latest)
        throw std::runtime_error("the room '" + room_name_ + "' of the chat does not come back");
      co_await sleep_for(20ms);
      const enter again{room_name_, me_};
      room_ = std::get<1>(co_await ask_hub<std::tuple<bool, caf::actor>>(again));
    }
  }

  void tell(event e) { send(me_, std::move(e)); }

  service::core& core_;
  connection& peer_;
  actor_connection* seat_; // null: not an actor
  mailbox& in_;
  caf::actor me_;
  rate_limiter limit_;
  caf::actor room_;
  std::string room_name_;
  std::string nick_;                  // empty until it has one
  std::optional<say> saying_;         // its line that is not yet shown
  std::optional<troupe::event> said_; // is set when it is
  std::uint64_t number_ = 0;
  cancel_scope* reading_ = nullptr; // while it reads
  time_point warn_again_{};
  bool slow_ = false;    // and so dropped
  bool writing_ = false; // in the middle of a line
  bool goodbye_ = false; // was added to what it is told
};

} // namespace

task<> run_session(service::core& c, connection& peer, std::string nick) {
  mailbox in = this_mailbox();
  session s(c, peer, nullptr, in);
  co_await s.run(std::move(nick));
}

task<> run_seat(service::core& c, connect who) {
  actor_connection peer(who.client);
  mailbox in = this_mailbox();
  session s(c, peer, &peer, in);
  monitor(who.client);
  co_await s.run(std::move(who.nick));
}

} // namespace troupe::chat
