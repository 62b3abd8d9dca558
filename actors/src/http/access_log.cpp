// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/http/access_log.hpp>

#include <boost/locale/utf.hpp>

#include <array>
#include <cstdio>
#include <ctime>

namespace troupe::http {

namespace {

/// How many bytes the character at the beginning of `text` has; 0 if it is none of UTF-8.
std::size_t utf8_size(std::string_view text) noexcept {
  using namespace boost::locale::utf;
  const char* at = text.data();
  const code_point c = utf_traits<char>::decode(at, text.data() + text.size());
  return c == illegal || c == incomplete ? 0 : static_cast<std::size_t>(at - text.data());
}

void append_text(std::string& to, std::string_view text) {
  to += '"';
  while (!text.empty()) {
    const std::size_t size = utf8_size(text);
    const char c = text.front();
    if (size == 0)
      to += "\\ufffd";
    else if (c == '"' || c == '\\')
      to.append({'\\', c});
    else if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') {
      std::array<char, 8> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\u%04x", static_cast<unsigned>(c));
      to += escaped.data();
    } else
      to += text.substr(0, size);
    text.remove_prefix(size == 0 ? 1 : size);
  }
  to += '"';
}

void append_time(std::string& to, std::chrono::system_clock::time_point time) {
  using namespace std::chrono;
  const auto whole = floor<milliseconds>(time);
  const std::time_t seconds = system_clock::to_time_t(floor<std::chrono::seconds>(whole));
  const auto rest = (whole - floor<std::chrono::seconds>(whole)).count();
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text.data() + size, text.size() - size, ".%03dZ", static_cast<int>(rest));
  to.append("\"").append(text.data()).append("\"");
}

} // namespace

std::string to_json(const access_record& record) {
  std::string out = "{\"time\":";
  append_time(out, record.time);
  const auto text = [&](const char* name, std::string_view value) {
    out.append(",\"").append(name).append("\":");
    append_text(out, value);
  };
  const auto number = [&](const char* name, std::uint64_t value) {
    out.append(",\"").append(name).append("\":").append(std::to_string(value));
  };
  text("peer", record.peer);
  text("method", record.method);
  text("target", record.target);
  text("version", record.minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1");
  number("status", static_cast<std::uint64_t>(record.status));
  out.append(",\"complete\":").append(record.complete ? "true" : "false");
  number("bytes_in", record.bytes_in);
  number("bytes_out", record.bytes_out);
  std::array<char, 32> took{};
  std::snprintf(took.data(), took.size(), "%.6f",
                std::chrono::duration<double>(record.took).count());
  out.append(",\"took\":").append(took.data());
  text("user_agent", record.user_agent);
  text("referer", record.referer);
  return out + "}";
}

} // namespace troupe::http
