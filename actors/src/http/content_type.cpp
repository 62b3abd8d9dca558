// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/http/headers.hpp>
#include <troupe/http/static_files.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace troupe::http {

std::string_view content_type_of(std::string_view name) noexcept {
  using known = std::pair<std::string_view, std::string_view>;
  static constexpr std::array<known, 34> types = {{
    {"avif", "image/avif"},
    {"bin", "application/octet-stream"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/vnd.microsoft.icon"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"map", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"ogg", "audio/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"svg", "image/svg+xml"},
    {"tar", "application/x-tar"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff2", "font/woff2"},
    {"xml", "text/xml; charset=utf-8"},
    {"zip", "application/zip"},
  }};
  const std::size_t dot = name.rfind('.');
  if (dot != name.npos && name.find('/', dot) == name.npos)
    for (const auto& [extension, type] : types)
      if (same_name(name.substr(dot + 1), extension))
        return type;
  return "application/octet-stream";
}

} // namespace troupe::http
