// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/awaited_function.hpp>
#include <troupe/http/message.hpp>
#include <troupe/http/websocket.hpp>
#include <troupe/serve.hpp>
#include <troupe/tls_context.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::http {

class request;
class response;

/// How a client asks for a WebSocket. Give a variable: g++ 12 destroys braced temporaries in an
/// await twice.
struct websocket_client_options {
  websocket_options socket = {};
  std::vector<std::string> subprotocols = {}; ///< that it speaks, the best first
  http::headers headers = {};                 ///< more for the request: `Origin`, `Cookie` ...
  duration limit = std::chrono::seconds(30);  ///< for all until it is open
  connect_options connect = {};
  std::optional<tls_client_context> tls = std::nullopt; ///< for wss; else one of its own
};

/// The server has answered something else than a WebSocket. `what()` names it and the status.
class websocket_refused : public std::runtime_error {
public:
  websocket_refused(const std::string& what, response_head answer)
    : std::runtime_error(what), answer_(std::move(answer)) {}
  [[nodiscard]] const response_head& answer() const noexcept { return answer_; }

private:
  response_head answer_;
};

/// Connects to "ws://host/path" or "wss://host/path". Throws `url_error`, `websocket_refused`,
/// `timeout_error`, what `open_tcp_stream` and `tls_connect` throw. A checkpoint; cancelled,
/// there is no connection.
[[nodiscard]] task<websocket> open_websocket(std::string url, websocket_client_options options);
[[nodiscard]] task<websocket> open_websocket(std::string url);

/// The same on a connection that is there already. A checkpoint.
[[nodiscard]] task<websocket> connect_websocket(std::unique_ptr<stream> transport, std::string url,
                                                websocket_client_options options);

/// Whether a browser's page may connect: yes without an `Origin` (no browser), or if it is that
/// of the page's own server: `Host`. Others would act in the name of the user, with the cookies.
[[nodiscard]] bool same_origin(const request_head& request);

/// How a server answers. Give a variable: see `websocket_client_options`.
struct websocket_server_options {
  websocket_options socket = {};
  std::vector<std::string> subprotocols = {};          ///< that it speaks, the best first
  http::headers headers = {};                          ///< more for the answer: `Set-Cookie` ...
  duration handshake_limit = std::chrono::seconds(10); ///< until the request has come
  std::size_t head_limit = 16384;                      ///< bytes of the request

  /// Whether the request is allowed; it may also throw an `http_error`. By default, pages of
  /// other servers are not.
  std::function<bool(const request_head&)> allow = same_origin;
};

/// Whether a request asks for a WebSocket.
[[nodiscard]] bool is_websocket_request(const request_head& request) noexcept;

/// What to answer to `request`: 101, with all headers. Throws `http_error`: 400 for what is no
/// request of this kind, 403 if it is not allowed, 426 for other versions than 13.
[[nodiscard]] response_head websocket_answer(const request_head& request,
                                             const websocket_server_options& options);

/// For a handler of an HTTP server: answers the request and takes the connection over. Throws as
/// above, which the server answers, and what the stream throws. A checkpoint.
[[nodiscard]] task<websocket> accept_websocket(const request& asked, response& answer,
                                               websocket_server_options options);

/// Answers `asked`, which was read from `transport` together with `behind`, the bytes after its
/// head. For servers of other kinds. Throws as above before anything is sent, and what the
/// transport throws. A checkpoint.
[[nodiscard]] task<websocket> accept_websocket(std::unique_ptr<stream> transport,
                                               request_head asked, std::string behind,
                                               websocket_server_options options);

/// Reads the request, too, within the handshake's limit. One that is refused is answered, then
/// `http_error` is thrown. Throws also `timeout_error`, what the transport throws. A checkpoint.
[[nodiscard]] task<websocket> accept_websocket(std::unique_ptr<stream> transport,
                                               websocket_server_options options);

/// Both on a stream of somebody else's, which must outlive the WebSocket. Checkpoints.
[[nodiscard]] task<websocket> accept_websocket(stream& transport, request_head asked,
                                               std::string behind,
                                               websocket_server_options options);
[[nodiscard]] task<websocket> accept_websocket(stream& transport, websocket_server_options options);

/// Serves one WebSocket. What it throws ends this one alone.
using websocket_handler = awaited_function<task<>(websocket&)>;

/// Serves one connection: accepts the WebSocket, runs `handler(ws)` and closes it: with 1000; with
/// 1011 if the handler has failed; with 1001 if it is cancelled or asked to stop. A peer that has
/// left, or closed with some code, is no failure. Throws what the handler throws. A checkpoint.
[[nodiscard]] task<> websocket_session(stream& transport, websocket_handler handler,
                                       websocket_server_options options);
/// The same in a handler of an HTTP server. A checkpoint.
[[nodiscard]] task<> websocket_session(const request& asked, response& answer,
                                       websocket_handler handler, websocket_server_options options);

/// The same as a handler, for a router:
///
///     routes.get("/chat", http::websocket_route(chat, options));
[[nodiscard]] std::function<task<>(request&, response&)>
websocket_route(std::function<task<>(websocket&)> handler, websocket_server_options options);

/// `serve_listener` for nothing but WebSockets. A checkpoint; throws as it does.
[[nodiscard]] task<> serve_websocket(websocket_handler handler, tcp_listener listener,
                                     websocket_server_options options, serve_options serving);

} // namespace troupe::http
