// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/http/headers.hpp>

#include <stdexcept>
#include <string>

namespace troupe::http {

/// What a status is called: 404 is "Not Found". Empty if nobody has named it.
[[nodiscard]] std::string_view reason_phrase(int status) noexcept;

/// An answer that is thrown: a handler that lets it pass answers with its status, and with its
/// sentence if that is the client's business (below 500).
///
///     throw http::http_error(403, "only for members");
class http_error : public std::runtime_error {
public:
  /// `details`: one sentence. `what()` is "403 Forbidden: only for members".
  explicit http_error(int status, std::string_view details = {}, headers more = {});

  [[nodiscard]] int status() const noexcept { return status_; }
  [[nodiscard]] const std::string& details() const noexcept { return details_; }
  /// For the answer: `Allow`, `Retry-After`, `WWW-Authenticate` ...
  [[nodiscard]] const headers& fields() const noexcept { return headers_; }

private:
  int status_;
  std::string details_;
  headers headers_;
};

/// What has come is no message of HTTP/1.1, or larger than allowed. The status is what a
/// server answers: 400, 413, 414, 431, 501 or 505.
class message_error : public http_error {
public:
  using http_error::http_error;
};

} // namespace troupe::http
