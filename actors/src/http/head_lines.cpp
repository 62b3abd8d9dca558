// SPDX-License-Identifier: BSD-3-Clause
#include "head_lines.hpp"

#include <troupe/time.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <ctime>
#include <stdexcept>

namespace troupe::http {

void append_status_line(std::string& text, const response_head& head) {
  if (head.status < 100 || head.status > 999)
    throw std::invalid_argument(std::to_string(head.status) + " is no status");
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; };
  if (std::any_of(head.reason.begin(), head.reason.end(), is_control))
    throw std::invalid_argument("the reason of a response has a control character");
  std::array<char, 4> number{};
  std::to_chars(number.data(), number.data() + 3, head.status);
  number[3] = ' ';
  text.append(head.minor_version == 0 ? "HTTP/1.0 " : "HTTP/1.1 ");
  text.append(number.data(), number.size());
  text.append(head.reason.empty() ? reason_phrase(head.status) : std::string_view(head.reason));
  text.append("\r\n");
}

std::string http_date(std::int64_t unix_seconds) {
  // not strftime: its names are the locale's
  constexpr std::array<const char*, 7> days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t t = unix_seconds;
  std::tm utc{};
  gmtime_r(&t, &utc);
  const auto two = [](int n) {
    return std::string{static_cast<char>('0' + n / 10 % 10), static_cast<char>('0' + n % 10)};
  };
  return std::string(days[static_cast<std::size_t>(utc.tm_wday)]) + ", " + two(utc.tm_mday) + " "
         + months[static_cast<std::size_t>(utc.tm_mon)] + " " + std::to_string(utc.tm_year + 1900)
         + " " + two(utc.tm_hour) + ":" + two(utc.tm_min) + ":" + two(utc.tm_sec) + " GMT";
}

std::optional<std::int64_t> parse_http_date(std::string_view text) {
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != 29 || text.substr(25) != " GMT")
    return std::nullopt;
  bool good = true;
  const auto number = [&](std::size_t at, std::size_t size) {
    int n = 0;
    const char* const end = text.data() + at + size;
    const auto [stop, error] = std::from_chars(text.data() + at, end, n);
    good = good && error == std::errc() && stop == end;
    return n;
  };
  std::tm utc{};
  utc.tm_mday = number(5, 2);
  utc.tm_year = number(12, 4) - 1900;
  utc.tm_hour = number(17, 2);
  utc.tm_min = number(20, 2);
  utc.tm_sec = number(23, 2);
  const std::size_t month = months.find(text.substr(8, 3));
  if (!good || month == months.npos || month % 3 != 0)
    return std::nullopt;
  utc.tm_mon = static_cast<int>(month / 3);
  const std::int64_t seconds = timegm(&utc);
  if (http_date(seconds) != text)
    return std::nullopt;
  return seconds;
}

void append_date(std::string& text) {
  thread_local std::time_t when = 0;
  thread_local std::string line;
  const std::time_t now = std::chrono::system_clock::to_time_t(current_wall_time());
  if (now != when) {
    line = "Date: " + http_date(now) + "\r\n";
    when = now;
  }
  text.append(line);
}

} // namespace troupe::http
