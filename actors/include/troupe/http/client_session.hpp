// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/detail/body_value.hpp>
#include <troupe/cancel_scope.hpp>
#include <troupe/http/client_error.hpp>
#include <troupe/http/client_options.hpp>
#include <troupe/http/client_request.hpp>
#include <troupe/http/client_response.hpp>
#include <troupe/http/cookie_jar.hpp>
#include <troupe/http/upload.hpp>
#include <troupe/task.hpp>

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace troupe::http {

namespace client {
class core;
} // namespace client

/// A client of HTTP/1.1 servers that keeps its connections: many requests to the same host need
/// few of them, and there are never more than `client_options::limit`. See `with_client_session`.
///
///     co_await with_client_session([](client_session& session) -> task<> {
///       auto response = co_await session.get("https://www.example.com/");
///       std::cout << response.status() << '\n' << co_await response.text();
///     });
///
/// A request is over when its body is sent and the head of the response is there, redirects
/// followed; the response's body is read from `client_response`. A response of 300 or more that
/// comes while the request's body is still being sent ends the sending.
///
/// - Redirects: 303, and 301 and 302 of a POST, are followed by GET without a body, 307 and 308
///   with the same again; one whose body cannot be sent again is given to the caller. To another
///   scheme, host or port go no `Authorization` and no `Cookie` that the request had.
/// - A request for which a connection was reused that turns out dead before any byte of the
///   response is sent again if that is safe: GET, HEAD, PUT, DELETE, OPTIONS or TRACE, with no body
///   or a text.
/// - Requests are not pipelined; informational responses (1xx) are skipped.
///
/// Any number of tasks, on the loop of the session. After aiohttp's `ClientSession`.
class client_session {
public:
  client_session(const client_session&) = delete;
  client_session& operator=(const client_session&) = delete;

  /// Sends the request and waits for the head of the response; waits for its turn while there
  /// are as many connections as there may be.
  ///
  /// A checkpoint; cancelled, nobody knows how far the server has come. Throws `timeout_error`,
  /// `client_error`, `net_error`, `tls_error`, what the body's source throws;
  /// `std::invalid_argument` for headers that cannot be given.
  [[nodiscard]] task<client_response> request(client_request what);

  /// The same in short. Checkpoints; throw also `url_error`.
  [[nodiscard]] task<client_response> get(std::string url);
  [[nodiscard]] task<client_response> head(std::string url);
  [[nodiscard]] task<client_response> post(std::string url, upload body, std::string content_type);
  [[nodiscard]] task<client_response> put(std::string url, upload body, std::string content_type);
  [[nodiscard]] task<client_response> remove(std::string url); ///< DELETE

  /// Its cookies.
  [[nodiscard]] cookie_jar& cookies() noexcept;

  [[nodiscard]] client_statistics statistics() const noexcept;

  /// For `with_client_session`.
  explicit client_session(client::core& core) noexcept : core_(core) {}

private:
  client::core& core_;
};

namespace client {

/// The inside of a session, made for the call of its body.
class session_owner {
public:
  explicit session_owner(const client_options& options);
  ~session_owner();
  session_owner(const session_owner&) = delete;
  session_owner& operator=(const session_owner&) = delete;

  [[nodiscard]] core& inside() noexcept { return *core_; }
  [[nodiscard]] task<> run(std::function<task<>()> body);

private:
  std::unique_ptr<core> core_;
};

template <class Body>
task<pools::body_value<Body, client_session>> run_session(client_options options, Body body) {
  session_owner owner(options);
  client_session session(owner.inside());
  auto run = [&owner](auto& call) { return owner.run(std::ref(call)); };
  co_return co_await pools::value_of_body(run, body, session);
}

} // namespace client

/// Runs `body(session)`, a coroutine, with a client session; when it ends, all connections are
/// closed. Gives the body's value; throws what the body throws. Not a checkpoint by itself.
template <class Body>
[[nodiscard]] auto with_client_session(const client_options& options, Body&& body) {
  troupe::detail::check_awaited_arguments<Body>();
  return client::run_session<std::decay_t<Body>>(options, std::forward<Body>(body));
}
template <class Body>
[[nodiscard]] auto with_client_session(Body&& body) {
  troupe::detail::check_awaited_arguments<Body>();
  return client::run_session<std::decay_t<Body>>(client_options(), std::forward<Body>(body));
}

} // namespace troupe::http
