// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/postgres/parameter.hpp>
#include <troupe/postgres/result.hpp>
#include <troupe/task.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::postgres {

/// What another connection has sent by NOTIFY.
struct notification {
  std::string channel;
  std::string payload;
  int sender = 0; ///< the process id of its backend
};

/// How a connection is opened and used, beside what its connection string says.
struct connection_options {
  /// How long a statement that was cancelled may take to stop; then the connection is broken.
  duration cancel_limit = std::chrono::seconds(2);
  /// Hears of notices and warnings of the server. Must not throw, nor use the connection.
  std::function<void(std::string_view)> on_notice = {};
};

/// A connection to a PostgreSQL server, by libpq. For one task at a time (two are a mistake,
/// `usage_error`), on the loop that opened it. Movable; closes when destroyed, without waiting.
///
/// When the connection is lost, the statement throws `connection_error`, and so does every other
/// one after it: open another, or use a pool.
class connection {
public:
  connection(connection&& other) noexcept;
  connection& operator=(connection&& other) noexcept;
  ~connection();

  /// Runs one statement with its parameters, `$1`, `$2` ...; gives its rows.
  ///
  ///     const auto r = co_await db.query("select name from users where id = $1", 7);
  ///
  /// A checkpoint. Cancelled, it asks the server to stop, and waits until it has, for no longer
  /// than `cancel_limit`: the connection is good for the next statement then, else it is broken.
  /// Whether a statement that changes something has done so, nobody can say in that case, except
  /// in a transaction. Throws `error` with what the server says, `connection_error`.
  template <class... Args>
  [[nodiscard]] task<result> query(std::string sql, Args&&... args) {
    std::vector<parameter> parameters;
    parameters.reserve(sizeof...(Args));
    (parameters.emplace_back(std::forward<Args>(args)), ...);
    return query_with(std::move(sql), std::move(parameters));
  }
  [[nodiscard]] task<result> query_with(std::string sql, std::vector<parameter> parameters);

  /// Runs any number of statements, divided by ";", in one transaction if they do not say
  /// otherwise; gives what the last one gives. A checkpoint, as `query`.
  [[nodiscard]] task<result> execute(std::string sql);

  /// Asks the server for nothing, to see that it is there. A checkpoint, as `query`.
  [[nodiscard]] task<> ping();

  /// Waits for the next NOTIFY on a channel that this connection listens on (`execute("listen
  /// news")`). A checkpoint; cancelled, none was taken. Throws `connection_error`.
  [[nodiscard]] task<notification> next_notification();

  /// Whether it can be used: it is not broken, nothing runs, and no transaction is open. Looks
  /// at what has arrived meanwhile, and so hears of a server that has ended. Never waits.
  [[nodiscard]] bool usable() noexcept;

  /// Whether a transaction is open.
  [[nodiscard]] bool in_transaction() const noexcept;

  /// It is in an unknown state: nothing can be asked any more.
  void give_up(std::string_view why) noexcept;

  /// "postgres at 127.0.0.1:5432/shop".
  [[nodiscard]] const std::string& name() const noexcept;
  /// The process id of its backend.
  [[nodiscard]] int backend() const noexcept;
  /// What the server tells about itself: "server_version", "TimeZone" ...; empty if it does not.
  [[nodiscard]] std::string parameter_status(const std::string& parameter) const;

  [[nodiscard]] const connection_options& options() const noexcept;

private:
  struct state;
  explicit connection(std::unique_ptr<state> s) noexcept;
  friend task<connection> open_connection(std::string, connection_options);

  template <class Send>
  task<result> run(Send send);

  std::unique_ptr<state> state_;
};

/// Connects to the server that `where` names, as libpq has it: "host=/run/postgresql dbname=shop"
/// or "postgresql://user:password@db.example:5432/shop?sslmode=require"; the environment
/// (PGHOST ...) and `~/.pgpass` count, too. Names are looked up by `resolve`, on the loop; several
/// hosts, and the addresses of one, are tried in turn. With `connect_timeout`, that is the limit
/// for all of it.
///
/// A checkpoint; cancelled, there is no connection. Throws `connection_error` that says which
/// server and why, `timeout_error`. GSSAPI is not tried unless `gssencmode` asks for it, as it
/// blocks.
[[nodiscard]] task<connection> open_connection(std::string where, connection_options options);
[[nodiscard]] task<connection> open_connection(std::string where);

} // namespace troupe::postgres
