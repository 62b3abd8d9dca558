// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/detail/safe_to_await.hpp>
#include <troupe/tcp.hpp>
#include <troupe/unix_socket.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <string_view>

namespace troupe {

/// How a server serves.
struct serve_options {
  listen_options listen = {};            ///< for `serve_tcp`
  std::size_t connection_limit = 10'000; ///< beyond, clients wait in the backlog
  std::string name = "connection";       ///< tasks are called "<name> from <peer>"

  /// Each connection is served on the loop that has the fewest of them, and the handler is called
  /// on all loops at once: it must not share anything that is not made for that. Otherwise all are
  /// served on the loop of the caller.
  bool spread = false;

  /// How long the connections may go on when the server is cancelled: they are asked to stop
  /// (`stopping()`), and those that have not ended by then are cut off.
  duration drain_limit = duration::zero();

  /// Hears of each failure, once, with the name of the task that failed; by
  /// default it is written to stderr. Must not throw. With `spread`, called on all loops.
  std::function<void(const std::exception_ptr&, std::string_view task_name)> on_failure = {};
};

/// Serves one connection. What it throws ends this connection alone.
using tcp_handler = detail::awaited_function<task<>(tcp_stream&)>;
using unix_handler = detail::awaited_function<task<>(unix_stream&)>;

/// Listens on `port` and runs `handler(stream)` for each connection in a task of
/// its own, in a nursery that this call owns, until cancelled: then it stops
/// listening, cancels the connections (after `drain_limit`) and waits for them.
///
/// A soft stop (`nursery::stop`) stops listening and lets the connections end.
/// A handler's failure is reported, the server goes on; a `connection_reset` or
/// `broken_pipe` that the handler lets through is the client's leaving and is not
/// reported. The connection is closed when the handler ends. When descriptors run
/// out, that is reported once, and accepting goes on when some are free again.
///
/// A checkpoint. Throws `address_in_use` and its kin at the start. With g++ 12, give
/// the options as a variable: it destroys braced temporaries in an await twice.
[[nodiscard]] task<> serve_tcp(tcp_handler handler, std::uint16_t port, serve_options options);
[[nodiscard]] task<> serve_tcp(tcp_handler handler, std::uint16_t port);

/// The same on a Unix socket. A checkpoint.
[[nodiscard]] task<> serve_unix(unix_handler handler, std::string path, serve_options options);
[[nodiscard]] task<> serve_unix(unix_handler handler, std::string path);

/// The same on a listener that is open already, for one whose port must be known. A
/// checkpoint.
[[nodiscard]] task<> serve_listener(tcp_handler handler, tcp_listener listener,
                                    serve_options options);
[[nodiscard]] task<> serve_listener(tcp_handler handler, tcp_listener listener);
[[nodiscard]] task<> serve_listener(unix_handler handler, unix_listener listener,
                                    serve_options options);
[[nodiscard]] task<> serve_listener(unix_handler handler, unix_listener listener);

} // namespace troupe
