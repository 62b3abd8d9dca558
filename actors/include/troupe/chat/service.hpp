// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actor.hpp>
#include <troupe/chat/connection.hpp>
#include <troupe/chat/event.hpp>
#include <troupe/chat/history.hpp>
#include <troupe/nursery.hpp>
#include <troupe/serve.hpp>
#include <troupe/tls.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace troupe::chat {

/// How a chat behaves.
struct service_options {
  std::string first_room = "lobby"; ///< where everybody begins
  std::size_t nick_limit = 20;      ///< bytes of a name, of people and of rooms
  std::size_t line_limit = 1000;    ///< bytes of a line
  std::size_t mail_limit = 1000;    ///< events that wait for a client; with one more it is dropped
  std::size_t room_limit = 1000;    ///< rooms at a time
  std::size_t history_shown = 50;   ///< lines that a newcomer hears
  std::size_t history_backlog = 10'000;          ///< lines that wait for a store that is in trouble
  std::size_t lines_per_second = 10;             ///< of a client; it is slowed down to that
  std::size_t burst = 20;                        ///< lines that it may say at once
  duration nick_time = std::chrono::seconds(60); ///< in which a client must have said its name
  duration patience = std::chrono::seconds(2);   ///< with the store: then it is in trouble
  duration retry_after = std::chrono::seconds(1); ///< and how often it is tried again

  /// Hears of people, and of what fails. Called on the loops of the service and of the clients;
  /// must not throw.
  std::function<void(const std::string&)> log = {};

  /// Hears of each line before it is kept. What it throws is a crash of the room: its supervisor
  /// starts it again.
  std::function<void(const history_line&)> on_line = {};

  /// Microseconds since 1970; by default the machine's clock. For tests.
  std::function<std::int64_t()> now = {};
};

/// A chat: rooms, names, private messages, history. People come by TCP, TLS, Unix sockets,
/// WebSockets, and as ordinary CAF actors, all in the same rooms. What they can say, and what they
/// hear, is in docs/reference/chat.md.
///
///     chat::service chat(std::make_unique<chat::sqlite_history>("chat.db"));
///     co_await with_nursery([&](nursery& n) -> task<> {
///       co_await n.start([&](task_status<>& ready) { return chat.run(ready); });
///       co_await serve_tcp(chat.tcp(), 9011);
///     });
///
/// All members of a room hear its lines in one order, each once. A line is shown, to its sender as
/// to all others, when it is in the history: what somebody has seen survives a crash. When the
/// store is in trouble all are told so, and lines are shown all the same (`event::kept` is false);
/// they are kept later if the trouble ends in time.
///
/// The parts are actors under a supervisor: the hub, which knows names and rooms, each room, the
/// one that writes the history. One that crashes is started again with its state; clients stay
/// connected and lose nothing. A client that does not read is dropped when `mail_limit`
/// events wait for it; one that says too much is slowed down.
///
/// The service must outlive all that it has given out. `run` and the rooms are for one loop;
/// clients may be on any.
class service {
public:
  explicit service(std::unique_ptr<history_store> store, const service_options& options = {});
  ~service();
  service(const service&) = delete;
  service& operator=(const service&) = delete;

  /// Runs the hub, the rooms and the history, as a supervisor, until it is stopped or cancelled;
  /// then what is not yet in the history is written. `ready` when clients may come. Once at a
  /// time; again after a crash, for a supervisor. Throws `restart_limit_reached`. A checkpoint.
  [[nodiscard]] task<> run(task_status<>& ready);
  [[nodiscard]] task<> run();

  /// Handlers for `serve_tcp`, `serve_tls`, `serve_unix` and their kin: text, line by line.
  [[nodiscard]] tcp_handler tcp();
  [[nodiscard]] tls_handler tls();
  [[nodiscard]] unix_handler unix_socket();

  /// Serves one client over any connection, until it leaves: what the handlers above do. A soft
  /// stop and cancellation say goodbye to it. Throws what no client can cause. A checkpoint.
  [[nodiscard]] task<> talk(connection& with);

  /// Where ordinary actors send `connect`. Null before `run`; another one when that part has
  /// crashed. Any thread.
  [[nodiscard]] caf::actor address() const;

  /// The address of a room; null if it is not open. On the loop of `run`.
  [[nodiscard]] caf::actor room(const std::string& name) const;

  struct statistics_type {
    std::size_t clients = 0;
    std::size_t rooms = 0;
    std::uint64_t lines = 0;   ///< that were said
    std::uint64_t kept = 0;    ///< of these, in the history
    std::uint64_t commits = 0; ///< in which they were written
    std::uint64_t lost = 0;    ///< for the history, because its trouble was too long
    std::size_t waiting = 0;   ///< to be written
    bool trouble = false;
  };
  /// On the loop of `run`.
  [[nodiscard]] statistics_type statistics() const;

  class core;

private:
  std::unique_ptr<core> core_;
};

} // namespace troupe::chat
