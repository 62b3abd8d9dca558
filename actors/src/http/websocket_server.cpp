// SPDX-License-Identifier: BSD-3-Clause
#include "websocket_handshake.hpp"
#include "websocket_state.hpp"

#include <troupe/cancel_scope.hpp>
#include <troupe/cleanup.hpp>
#include <troupe/http/request.hpp>
#include <troupe/http/response.hpp>
#include <troupe/http/url.hpp>
#include <troupe/http/websocket_handshake.hpp>
#include <troupe/nursery.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace troupe::http {

namespace {

std::string chosen_protocol(const request_head& request, const websocket_server_options& options) {
  const auto offered = list_of(request.headers, "Sec-WebSocket-Protocol");
  for (const std::string& own : options.subprotocols)
    if (std::find(offered.begin(), offered.end(), own) != offered.end())
      return own;
  return {};
}

std::optional<deflate_answer> chosen_deflate(const request_head& request,
                                             const websocket_server_options& options) {
  if (!options.socket.deflate)
    return std::nullopt;
  return answer_deflate(request.headers.all("Sec-WebSocket-Extensions"));
}

/// A key is 16 bytes in base64.
bool is_key(std::string_view key) noexcept {
  constexpr std::string_view digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return key.size() == 24 && key.ends_with("==") && key.find_first_not_of(digits) == key.size() - 2;
}

std::string refusal_text(const http_error& why) {
  response_head answer;
  answer.status = why.status();
  answer.headers = why.fields();
  const std::string body = std::string(why.what()) + "\n";
  answer.headers.set("Content-Type", "text/plain; charset=utf-8");
  answer.headers.set("Content-Length", body.size());
  answer.headers.set("Connection", "close");
  std::string text;
  append_head(text, answer);
  return text + body;
}

/// Tells a client why not; if it does not want to know, nothing is lost.
task<> refuse(stream& transport, const http_error& why) {
  const std::string text = refusal_text(why);
  try {
    co_await transport.write_all(text);
  } catch (const net_error&) { // NOLINT(bugprone-empty-catch): it has gone
  }
}

websocket_beginning beginning_of(request_head request, const websocket_server_options& options,
                                 const response_head& answer) {
  websocket_beginning b;
  b.role = websocket_role::server;
  b.options = options.socket;
  b.subprotocol = answer.headers.get("Sec-WebSocket-Protocol", "");
  if (const auto deflate = chosen_deflate(request, options))
    b.deflate = deflate->agreed;
  b.request = std::move(request);
  return b;
}

/// Sends the answer.
task<websocket> begin(std::unique_ptr<stream> transport, request_head request, std::string behind,
                      websocket_server_options options, const response_head& answer) {
  std::string text;
  append_head(text, answer);
  auto beginning = beginning_of(std::move(request), options, answer);
  beginning.behind = std::move(behind);
  co_await transport->write_all(text);
  co_return make_websocket(std::move(transport), std::move(beginning));
}

/// Runs the handler and says how it went; see `websocket_session`.
task<> run_session(websocket& ws, websocket_handler& handler, duration close_limit) {
  std::uint16_t code = close_code::going_away;
  co_await with_cleanup(
    [&]() -> task<> {
      try {
        co_await handler(ws);
        code = is_stopping() ? close_code::going_away : close_code::normal;
      } catch (const websocket_closed&) { // NOLINT(bugprone-empty-catch): the peer has left
        code = close_code::normal;
      } catch (...) {
        code = close_code::internal_error;
        throw;
      }
    },
    [&]() -> task<> { co_await ws.close(code); }, close_limit + std::chrono::seconds(1));
}

} // namespace

bool same_origin(const request_head& request) {
  const auto origin = request.headers.get("Origin");
  if (!origin)
    return true;
  try {
    return url::parse(*origin).authority() == request.headers.get("Host", "");
  } catch (const url_error&) {
    return false; // "null"
  }
}

bool is_websocket_request(const request_head& request) noexcept {
  return request.method == "GET" && request.headers.has_token("Upgrade", "websocket")
         && request.headers.has_token("Connection", "Upgrade");
}

response_head websocket_answer(const request_head& request,
                               const websocket_server_options& options) {
  const headers& h = request.headers;
  if (!is_websocket_request(request) || request.minor_version < 1)
    throw http_error(426, "this is for WebSockets", {{"Upgrade", "websocket"}});
  if (h.all("Host").size() != 1)
    throw http_error(400, "there has to be one Host");
  if (h.get("Sec-WebSocket-Version", "") != "13")
    throw http_error(426, "this is version 13", {{"Sec-WebSocket-Version", "13"}});
  const auto keys = h.all("Sec-WebSocket-Key");
  if (keys.size() != 1 || !is_key(keys.front()))
    throw http_error(400, "Sec-WebSocket-Key is not 16 bytes in base64");
  if (options.allow && !options.allow(request))
    throw http_error(403, "a page of another server");
  response_head answer;
  answer.status = 101;
  answer.headers = options.headers;
  answer.headers.set("Upgrade", "websocket");
  answer.headers.set("Connection", "Upgrade");
  answer.headers.set("Sec-WebSocket-Accept", accept_of_key(keys.front()));
  if (const auto protocol = chosen_protocol(request, options); !protocol.empty())
    answer.headers.set("Sec-WebSocket-Protocol", protocol);
  if (const auto deflate = chosen_deflate(request, options))
    answer.headers.set("Sec-WebSocket-Extensions", deflate->text);
  return answer;
}

task<websocket> accept_websocket(const request& asked, response& answer,
                                 websocket_server_options options) {
  const auto head = websocket_answer(asked, options);
  answer.headers = head.headers;
  auto transport = co_await answer.upgrade();
  co_return make_websocket(std::move(transport), beginning_of(asked, options, head));
}

task<websocket> accept_websocket(std::unique_ptr<stream> transport, request_head request,
                                 std::string behind, websocket_server_options options) {
  const auto answer = websocket_answer(request, options);
  co_return co_await begin(std::move(transport), std::move(request), std::move(behind),
                           std::move(options), answer);
}

task<websocket> accept_websocket(std::unique_ptr<stream> transport,
                                 websocket_server_options options) {
  head_and_rest<request_head> read;
  response_head answer;
  std::optional<http_error> refused;
  try {
    const duration limit = options.handshake_limit;
    read = co_await fail_after(
      limit, [&]() { return read_request_head(*transport, options.head_limit); },
      "WebSocket handshake");
    answer = websocket_answer(read.head, options);
  } catch (const http_error& why) {
    refused = why;
  }
  if (refused) {
    co_await refuse(*transport, *refused);
    throw http_error(*refused);
  }
  co_return co_await begin(std::move(transport), std::move(read.head), std::move(read.behind),
                           std::move(options), answer);
}

task<websocket> accept_websocket(stream& transport, request_head request, std::string behind,
                                 websocket_server_options options) {
  return accept_websocket(std::make_unique<borrowed_stream>(transport), std::move(request),
                          std::move(behind), std::move(options));
}

task<websocket> accept_websocket(stream& transport, websocket_server_options options) {
  return accept_websocket(std::make_unique<borrowed_stream>(transport), std::move(options));
}

task<> websocket_session(stream& transport, websocket_handler handler,
                         websocket_server_options options) {
  const duration close_limit = options.socket.close_limit;
  std::optional<websocket> ws;
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_service(named("stop of a WebSocket handshake", [&n]() -> task<> {
      co_await stopping();
      n.cancel("asked to stop");
    }));
    ws = co_await accept_websocket(transport, std::move(options));
  });
  if (ws)
    co_await run_session(*ws, handler, close_limit);
}

task<> websocket_session(const request& asked, response& answer, websocket_handler handler,
                         websocket_server_options options) {
  const duration close_limit = options.socket.close_limit;
  websocket ws = co_await accept_websocket(asked, answer, std::move(options));
  co_await run_session(ws, handler, close_limit);
}

std::function<task<>(request&, response&)>
websocket_route(std::function<task<>(websocket&)> handler, websocket_server_options options) {
  return [handler = std::move(handler), options = std::move(options)](request& asked,
                                                                      response& answer) -> task<> {
    return websocket_session(asked, answer, handler, options);
  };
}

task<> serve_websocket(websocket_handler handler, tcp_listener listener,
                       websocket_server_options options, serve_options serving) {
  const auto session = [&](tcp_stream& s) { return websocket_session(s, handler, options); };
  co_await serve_listener(session, std::move(listener), std::move(serving));
}

} // namespace troupe::http
