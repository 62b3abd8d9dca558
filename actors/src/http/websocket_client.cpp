// SPDX-License-Identifier: BSD-3-Clause
#include "websocket_handshake.hpp"
#include "websocket_state.hpp"

#include <troupe/cancel_scope.hpp>
#include <troupe/http/url.hpp>
#include <troupe/http/websocket_handshake.hpp>
#include <troupe/tcp.hpp>
#include <troupe/thread.hpp>
#include <troupe/tls.hpp>

#include <algorithm>
#include <utility>

namespace troupe::http {

namespace {

constexpr std::size_t head_limit = 65536;

std::string joined(const std::vector<std::string>& all) {
  std::string text;
  for (const std::string& one : all)
    text.append(text.empty() ? "" : ", ").append(one);
  return text;
}

request_head request_of(const url& to, const websocket_client_options& options,
                        const std::string& key) {
  request_head r;
  r.target = to.target();
  r.headers.add("Host", to.authority());
  r.headers.add("Upgrade", "websocket");
  r.headers.add("Connection", "Upgrade");
  r.headers.add("Sec-WebSocket-Key", key);
  r.headers.add("Sec-WebSocket-Version", "13");
  if (!options.subprotocols.empty())
    r.headers.add("Sec-WebSocket-Protocol", joined(options.subprotocols));
  if (options.socket.deflate)
    r.headers.add("Sec-WebSocket-Extensions", deflate_offer);
  for (const auto field : options.headers)
    r.headers.add(field.name, field.value);
  return r;
}

/// Throws if `answer` is not what a server says that has understood.
void check_answer(const url& to, const response_head& answer, const std::string& key,
                  const websocket_client_options& options, websocket_beginning& beginning) {
  const auto refuse = [&](const std::string& why) {
    throw websocket_refused("no WebSocket at " + to.text() + ": " + why, answer);
  };
  if (answer.status != 101)
    refuse("the server answers " + std::to_string(answer.status) + " " + answer.reason);
  if (!answer.headers.has_token("Upgrade", "websocket")
      || !answer.headers.has_token("Connection", "Upgrade"))
    refuse("the server switches to something else");
  if (answer.headers.get("Sec-WebSocket-Accept", "") != accept_of_key(key))
    refuse("the server has not understood the key");
  if (const auto chosen = answer.headers.get("Sec-WebSocket-Protocol")) {
    const auto& offered = options.subprotocols;
    if (std::find(offered.begin(), offered.end(), *chosen) == offered.end())
      refuse("the server speaks a subprotocol that was not offered");
    beginning.subprotocol = *chosen;
  }
  const auto extensions = list_of(answer.headers, "Sec-WebSocket-Extensions");
  if (extensions.empty())
    return;
  if (options.socket.deflate && extensions.size() == 1)
    beginning.deflate = read_deflate_answer(extensions.front());
  if (!beginning.deflate)
    refuse("the server uses an extension that was not offered");
}

task<websocket> connect_over(std::unique_ptr<stream> transport, url to,
                             websocket_client_options options) {
  const std::string key = make_websocket_key();
  websocket_beginning beginning;
  beginning.role = websocket_role::client;
  beginning.options = options.socket;
  beginning.request = request_of(to, options, key);
  std::string text;
  append_head(text, beginning.request);
  co_await transport->write_all(text);
  auto answer = co_await read_response_head(*transport, head_limit);
  check_answer(to, answer.head, key, options, beginning);
  beginning.behind = std::move(answer.behind);
  co_return make_websocket(std::move(transport), std::move(beginning));
}

task<websocket> open_to(url to, websocket_client_options options) {
  std::unique_ptr<stream> transport =
    std::make_unique<tcp_stream>(co_await open_tcp_stream(to.host, to.port, options.connect));
  if (to.secure()) {
    if (!options.tls)
      options.tls = co_await to_thread([]() { return tls_client_context(); }); // reads the disk
    transport = std::make_unique<tls_stream>(
      co_await tls_connect(std::move(transport), to.host, *options.tls));
  }
  co_return co_await connect_over(std::move(transport), std::move(to), std::move(options));
}

url checked(const std::string& text) {
  url to = url::parse(text);
  if (to.scheme != "ws" && to.scheme != "wss")
    throw url_error("no WebSocket's URL, ws: or wss: \"" + to.text() + "\"");
  return to;
}

} // namespace

task<websocket> open_websocket(std::string url, websocket_client_options options) {
  auto to = checked(url);
  const std::string name = "open_websocket " + to.text();
  const duration limit = options.limit;
  co_return co_await fail_after(
    limit, [&]() { return open_to(std::move(to), std::move(options)); }, name);
}

task<websocket> open_websocket(std::string url) {
  return open_websocket(std::move(url), websocket_client_options{});
}

task<websocket> connect_websocket(std::unique_ptr<stream> transport, std::string url,
                                  websocket_client_options options) {
  auto to = checked(url);
  const std::string name = "connect_websocket " + to.text();
  const duration limit = options.limit;
  co_return co_await fail_after(
    limit, [&]() { return connect_over(std::move(transport), std::move(to), std::move(options)); },
    name);
}

} // namespace troupe::http
