// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/http/message.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::http {

/// Whether a response with it ends an exchange: 1xx do not, and what is beyond 599 nobody
/// understands.
[[nodiscard]] constexpr bool is_final(int status) noexcept {
  return status >= 200 && status <= 599;
}

/// "HTTP/1.1 200 OK", with its line end. Throws as `append_head`.
void append_status_line(std::string& text, const response_head& head);

/// "Date: ...", with its line end: the time of now.
void append_date(std::string& text);

/// "Sat, 21 Nov 2026 15:00:00 GMT"
[[nodiscard]] std::string http_date(std::int64_t unix_seconds);

/// Seconds since 1970, or nothing if it is no date as `http_date` writes it.
[[nodiscard]] std::optional<std::int64_t> parse_http_date(std::string_view text);

} // namespace troupe::http
