// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/awaited_function.hpp>
#include <troupe/http/request.hpp>
#include <troupe/http/response.hpp>
#include <troupe/http/server_options.hpp>
#include <troupe/stream.hpp>
#include <troupe/task.hpp>
#include <troupe/tcp.hpp>
#include <troupe/tls_context.hpp>
#include <troupe/unix_socket.hpp>

#include <cstdint>
#include <functional>

namespace troupe::http {

/// Answers a request; a `router` is one, too. What it throws is the answer: an `http_error`
/// its status, all else 500, reported to `server_options::on_failure`. If the response has
/// been begun by then, the connection is cut off.
using handler = std::function<task<>(request&, response&)>;
using served_handler = awaited_function<task<>(request&, response&)>;

/// Serves HTTP/1.1 on one connection, whatever it runs on, until the client leaves, is idle for
/// too long, or the nursery is asked to stop (`nursery::stop`): then the request under way is
/// the last. Requests are answered in their order, one at a time.
///
/// Bad requests are answered with 400, 408, 413, 414, 417, 431, 501 or 505, and the connection
/// is closed behind it. Closes the stream; returns when the client has left, also where the
/// stream says so by `connection_reset` and its kin. Cancelled, it cuts the connection off.
///
/// `answer` and `options` must live until it returns. A checkpoint.
[[nodiscard]] task<> serve_connection(stream& on, const served_handler& answer,
                                      const server_options& options);

/// Serves on a port, as `troupe::serve_tcp`: until cancelled or stopped. The requests under way
/// are then finished, within `options.serve.drain_limit` if cancelled, and idle connections
/// closed. A checkpoint; throws `address_in_use` and its kin.
///
/// With g++ 12, give the options as a variable.
[[nodiscard]] task<> serve(served_handler answer, std::uint16_t port, server_options options);
[[nodiscard]] task<> serve(served_handler answer, std::uint16_t port);

/// The same over TLS. Checkpoints.
[[nodiscard]] task<> serve(served_handler answer, std::uint16_t port, tls_server_context context,
                           server_options options);
[[nodiscard]] task<> serve(served_handler answer, std::uint16_t port, tls_server_context context);

/// The same on a listener that is open already. Checkpoints.
[[nodiscard]] task<> serve(served_handler answer, tcp_listener listener, server_options options);
[[nodiscard]] task<> serve(served_handler answer, tcp_listener listener);
[[nodiscard]] task<> serve(served_handler answer, tcp_listener listener, tls_server_context context,
                           server_options options);
[[nodiscard]] task<> serve(served_handler answer, tcp_listener listener,
                           tls_server_context context);
[[nodiscard]] task<> serve(served_handler answer, unix_listener listener, server_options options);
[[nodiscard]] task<> serve(served_handler answer, unix_listener listener);

} // namespace troupe::http
