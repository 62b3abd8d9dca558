// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace troupe::http {

/// A request of a client session has failed, by what the server has sent or not sent. `what()`
/// begins with the request: "GET http://example.com/: ...". What goes wrong with the connection
/// is `net_error` as everywhere.
class client_error : public std::runtime_error {
public:
  client_error(std::string_view request, std::string_view why);

  /// "GET http://example.com/", without a password.
  [[nodiscard]] const std::string& request() const noexcept { return request_; }

private:
  std::string request_;
};

/// What has come is no response of HTTP/1.1, or one whose head is larger than allowed.
class bad_response : public client_error {
public:
  using client_error::client_error;
};

/// The connection has ended before the response was complete.
class incomplete_response : public client_error {
public:
  incomplete_response(std::string_view request, std::uint64_t received,
                      std::optional<std::uint64_t> expected);
  /// Before its head was complete.
  explicit incomplete_response(std::string_view request);

  /// Bytes of the body.
  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
  /// How many there should be, if the server has said.
  [[nodiscard]] std::optional<std::uint64_t> expected() const noexcept { return expected_; }

private:
  std::uint64_t received_ = 0;
  std::optional<std::uint64_t> expected_;
};

/// The body is larger than what was to be read of it.
class body_too_large : public client_error {
public:
  body_too_large(std::string_view request, std::size_t limit);
  [[nodiscard]] std::size_t limit() const noexcept { return limit_; }

private:
  std::size_t limit_;
};

/// A redirect that is not followed: one too many, to what is no URL of HTTP, or from https to
/// http.
class redirect_error : public client_error {
public:
  using client_error::client_error;
};

/// `client_response::check`: the server has said no.
class status_error : public client_error {
public:
  status_error(std::string_view request, int status, std::string_view reason);
  [[nodiscard]] int status() const noexcept { return status_; }

private:
  int status_;
};

} // namespace troupe::http
