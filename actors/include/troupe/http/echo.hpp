// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/echo.hpp>
#include <troupe/http/websocket_handshake.hpp>

#include <cstdint>
#include <string>

namespace troupe::http {

/// Sends back the messages of a WebSocket, until the other side closes it, a limit of `options` is
/// reached, or it is asked to stop. Throws what `receive` and `send` throw. A checkpoint.
[[nodiscard]] task<> echo(websocket& peer, const echo_options& options);

/// A service of WebSockets, as `troupe::serve_echo`. A checkpoint.
[[nodiscard]] task<> serve_echo(tcp_listener listener, websocket_server_options how,
                                echo_options options);

/// The same as a child of a supervisor, as `tcp_echo_child`.
[[nodiscard]] child_spec websocket_echo_child(std::string name, std::uint16_t port,
                                              listen_options listen, websocket_server_options how,
                                              echo_options options);

} // namespace troupe::http
