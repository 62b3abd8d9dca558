// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

// The small words of HTTP's grammar (RFC 9110, 5.6).
namespace troupe::http {

[[nodiscard]] constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

[[nodiscard]] constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

[[nodiscard]] constexpr bool is_letter(char c) noexcept {
  return lower(c) >= 'a' && lower(c) <= 'z';
}

/// 0 to 15, or -1.
[[nodiscard]] constexpr int hex_value(char c) noexcept {
  if (is_digit(c))
    return c - '0';
  return lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10 : -1;
}

[[nodiscard]] constexpr bool is_token(std::string_view text) noexcept {
  const auto fits = [](char c) {
    return is_digit(c) || is_letter(c)
           || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), fits);
}

[[nodiscard]] constexpr std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

/// What is before the first `mark`, which goes from `rest` with it; all of it if there is none.
[[nodiscard]] constexpr std::string_view cut(std::string_view& rest, char mark) noexcept {
  const std::size_t at = rest.find(mark);
  const std::string_view before = rest.substr(0, at);
  rest.remove_prefix(at == rest.npos ? rest.size() : at + 1);
  return before;
}

} // namespace troupe::http
