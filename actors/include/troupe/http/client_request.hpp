// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/http/client_options.hpp>
#include <troupe/http/headers.hpp>
#include <troupe/http/upload.hpp>
#include <troupe/http/url.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace troupe::http {

/// What a client session is to ask for:
///
///     client_request order("POST", "https://shop.example/orders");
///     order.headers.set("Content-Type", "application/json");
///     order.body = R"({"item": 17})";
///     auto response = co_await session.request(std::move(order));
///
/// `Host`, `User-Agent`, `Accept` and what describes the body are added by the session;
/// `Content-Length`, `Transfer-Encoding` and `Upgrade` cannot be given.
class client_request {
public:
  /// Throws `url_error`, also for other schemes than http and https, `std::invalid_argument` if
  /// the method is no token. A user and password in the URL are sent as `basic_auth`.
  client_request(std::string method, std::string_view url);

  /// Adds `Authorization` for a user and a password, in base64: for everybody to read who sees
  /// it, so for https. A redirect to another scheme, host or port goes without. Throws
  /// `std::invalid_argument` if the user has a colon.
  void basic_auth(std::string_view user, std::string_view password);

  std::string method;
  http::url url;
  http::headers headers;
  upload body;
  std::optional<duration> total_limit; ///< these instead of the session's
  std::optional<duration> read_limit;
  std::optional<int> max_redirects;
};

/// The value of `Authorization` for a user and a password (RFC 7617).
[[nodiscard]] std::string basic_credentials(std::string_view user, std::string_view password);

} // namespace troupe::http
