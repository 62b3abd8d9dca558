// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/redis/protocol.hpp>
#include <troupe/stream.hpp>
#include <troupe/task.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace troupe::redis {

/// A message that was published.
struct message {
  std::string channel;
  std::string pattern; ///< that has matched; empty for a channel that was asked for by name
  std::string payload;
};

/// A connection to a Redis server, over any stream. For one task at a time (two are a mistake,
/// `usage_error`), on the loop of the stream. Movable; closes when destroyed.
///
/// Many tasks share one by `with_client`, or a few by a connection pool.
///
/// A command that fails half way, or is cancelled when it has been sent, leaves the connection
/// broken: nobody can say what the next reply belongs to. All calls throw `connection_broken` then.
class connection {
public:
  /// Takes over a stream that is connected. `descriptor`: the socket below, if there is one that
  /// `usable` may look at.
  explicit connection(std::unique_ptr<stream> over, int descriptor = -1);
  connection(connection&& other) noexcept;
  connection& operator=(connection&& other) noexcept;
  ~connection();

  /// Sends one command and gives its reply:
  ///
  ///     const auto name = (co_await db.command("get", "name")).get<std::optional<std::string>>();
  ///
  /// A checkpoint; cancelled before it is sent, it has not been; else the server may have done it.
  /// Throws `redis::error` if that is what the server answers, `protocol_error`, and what the
  /// stream throws (`connection_reset`, `end_of_stream` ...).
  template <class... Args>
    requires(sizeof...(Args) > 0)
  [[nodiscard]] task<reply> command(Args&&... args) {
    batch b;
    b.add(std::forward<Args>(args)...);
    return run_one(std::move(b));
  }

  /// Sends all commands of a batch at once, and gives the replies in their order; errors are among
  /// them. A checkpoint. Throws and is cancelled as `command`.
  [[nodiscard]] task<std::vector<reply>> run(batch commands);

  /// Sends the commands without waiting for their replies, and waits for the next reply, whatever
  /// it belongs to: for what has more than one reply, or none. Checkpoints, as `command`.
  [[nodiscard]] task<> send(batch commands);
  [[nodiscard]] task<reply> receive();

  /// Waits for the next message of the channels that were subscribed to (`command("subscribe",
  /// "news")`). A checkpoint; cancelled, none was taken.
  [[nodiscard]] task<message> next_message();

  /// Whether the next one can use it as if it were new: it is not broken, no task uses it, all
  /// that was sent has been answered and nothing else came, no transaction is open, nothing is
  /// watched, no other database or user was chosen (see `keep_settings`), it does not listen to
  /// channels (nor did), nobody has taken it over, and as far as can be seen the server has not
  /// closed it. Never waits.
  [[nodiscard]] bool usable() const noexcept;

  /// What was chosen so far ("select", "auth", "client setname" ...) is what who uses it next
  /// expects: for a pool's function that opens connections and does so. Not a checkpoint.
  void keep_settings() noexcept;

  /// "127.0.0.1:6379".
  [[nodiscard]] std::string peer() const;
  /// What it is made of, for those who take over; nothing may be in use. Not `usable` from then on.
  [[nodiscard]] stream& over() noexcept;

private:
  struct state;
  class use;
  task<reply> run_one(batch b);
  task<reply> next_reply();

  std::unique_ptr<state> state_;
};

/// Connects to the server that `where` names: "redis://user:password@host:6379/0", "rediss://..."
/// for TLS, "unix:///run/redis.sock?db=0", or the path of its socket; then says the password and
/// selects the database, if they are given.
///
/// A checkpoint; cancelled, there is no connection. Throws `std::invalid_argument` that says what
/// is wrong with `where`, what `open_tcp_stream` and its kin throw, `redis::error`.
[[nodiscard]] task<connection> open_connection(std::string where);

} // namespace troupe::redis
