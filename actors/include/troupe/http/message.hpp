// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/http/error.hpp>
#include <troupe/http/headers.hpp>

#include <string>

namespace troupe::http {

/// The first lines of a request.
struct request_head {
  std::string method = "GET"; ///< a token; "GET" is not "get"
  std::string target = "/";   ///< as it stands in the line: "/a%20b?c=d", "*", a whole URL
  int minor_version = 1;      ///< of HTTP/1
  http::headers headers = {};

  /// Whether the connection can be used for another request afterwards.
  [[nodiscard]] bool keep_alive() const noexcept;
};

/// The first lines of a response.
struct response_head {
  int status = 200;
  std::string reason = {}; ///< empty: `reason_phrase`
  int minor_version = 1;   ///< of HTTP/1
  http::headers headers = {};

  [[nodiscard]] bool keep_alive() const noexcept;
};

/// Appends the head as it is sent, with the empty line at its end. Throws
/// `std::invalid_argument` if the method, the target or the reason would break it.
void append_head(std::string& text, const request_head& head);
void append_head(std::string& text, const response_head& head);

} // namespace troupe::http
