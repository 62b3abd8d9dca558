// SPDX-License-Identifier: BSD-3-Clause
#include "beneath.hpp"
#include "head_lines.hpp"
#include "text.hpp"

#include <troupe/cancel_scope.hpp>
#include <troupe/http/static_files.hpp>
#include <troupe/time.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <optional>
#include <stdexcept>
#include <system_error>

namespace troupe::http {

namespace {

constexpr std::uint64_t small_file = 65536; // is sent at once
constexpr std::size_t block = 262144;

struct byte_range {
  std::uint64_t begin = 0;
  std::uint64_t size = 0;
};

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (text.empty() || error != std::errc() || end != text.data() + text.size())
    return std::nullopt;
  return n;
}

/// The range that is asked for; nothing if there is none to be heeded. Throws 416.
std::optional<byte_range> range_of(std::string_view text, std::uint64_t size) {
  if (!text.starts_with("bytes="))
    return std::nullopt;
  text = trimmed(text.substr(6));
  const std::size_t dash = text.find('-');
  if (dash == text.npos || text.find(',') != text.npos)
    return std::nullopt;
  const auto first = number(text.substr(0, dash));
  const auto last = number(text.substr(dash + 1));
  if ((!first && dash != 0) || (!last && dash + 1 != text.size()) || (!first && !last)
      || (first && last && *last < *first))
    return std::nullopt;
  const std::uint64_t begin = first ? *first : size - std::min(size, *last);
  if (begin >= size || (!first && *last == 0))
    throw http_error(416, "there are only " + std::to_string(size) + " bytes",
                     {{"Content-Range", "bytes */" + std::to_string(size)}});
  const std::uint64_t end = first && last ? std::min(size - 1, *last) + 1 : size;
  return byte_range{begin, end - begin};
}

std::string tag_of(const opened& f) {
  const auto hex = [](std::uint64_t n) {
    char text[16];
    return std::string(text, std::to_chars(text, text + sizeof text, n, 16).ptr);
  };
  return "\"" + hex(static_cast<std::uint64_t>(f.seconds)) + "-"
         + hex(static_cast<std::uint64_t>(f.nanoseconds)) + "-" + hex(f.size) + "\"";
}

/// Whether the client has what it asks for already.
bool not_modified(const request& rq, const opened& f, std::string_view tag) {
  const auto tags = rq.headers.all("If-None-Match");
  if (!tags.empty()) {
    for (std::string_view rest : tags)
      while (!rest.empty()) {
        std::string_view one = trimmed(cut(rest, ','));
        if (one.starts_with("W/"))
          one.remove_prefix(2);
        if (one == tag || one == "*")
          return true;
      }
    return false;
  }
  const auto since = rq.headers.get("If-Modified-Since");
  const auto when = since ? parse_http_date(*since) : std::nullopt;
  return when && f.seconds <= *when;
}

/// Whether what the client has a part of is still the same.
bool range_is_current(const request& rq, const opened& f, std::string_view tag) {
  const auto condition = rq.headers.get("If-Range");
  if (!condition)
    return true;
  return *condition == tag || parse_http_date(*condition) == f.seconds;
}

/// Whether the path, which is relative, may be looked for at all.
bool acceptable(std::string_view path, bool hidden) {
  if (path.find('\0') != path.npos)
    return false;
  while (!path.empty()) {
    const bool middle = path.find('/') != path.npos;
    const std::string_view part = cut(path, '/');
    if ((part.empty() && middle) || part == "." || part == ".."
        || (!hidden && part.starts_with('.')))
      return false;
  }
  return true;
}

[[noreturn]] void refuse(int error) {
  switch (error) {
  case EMFILE:
  case ENFILE:
  case ENOMEM: throw http_error(503, std::generic_category().message(error));
  case EIO: throw http_error(500, std::generic_category().message(error));
  default: throw http_error(404);
  }
}

task<> send_file(response& rs, const opened& f, byte_range range) {
  rs.headers.set("Content-Length", range.size);
  std::uint64_t left = range.size;
  std::string buffer;
  while (left != 0) {
    buffer.resize(static_cast<std::size_t>(std::min<std::uint64_t>(left, block)));
    const std::size_t n = co_await read_at(f.file.get(), std::as_writable_bytes(std::span(buffer)),
                                           range.begin + range.size - left);
    if (n == 0)
      throw std::runtime_error("a file has become shorter while it was served");
    buffer.resize(n);
    left -= n;
    if (range.size <= small_file)
      rs.body.append(buffer);
    else
      co_await rs.write(buffer);
  }
}

} // namespace

struct static_files::directory {
  descriptor root;
  static_options options;
};

static_files::static_files(const std::filesystem::path& root, static_options options)
  : directory_(
    std::make_shared<const directory>(directory{open_directory(root), std::move(options)})) {}

static_files::static_files(const std::filesystem::path& root)
  : static_files(root, static_options()) {}

task<> static_files::operator()(request& rq, response& rs) const {
  const std::shared_ptr<const directory> from = directory_;
  if (rq.method != "GET" && rq.method != "HEAD")
    throw http_error(405, {}, {{"Allow", "GET, HEAD"}});
  std::string path(rq.param(from->options.parameter));
  if (!acceptable(path, from->options.hidden))
    throw http_error(404);
  if (is_cancelled()) // what is in memory is served without a wait
    co_await checkpoint();
  const bool as_directory = path.empty() || path.ends_with('/');
  if (as_directory) {
    if (from->options.index.empty())
      throw http_error(404);
    path += from->options.index;
  }
  const opened f = co_await open_beneath(from->root.get(), path);
  if (f.error != 0)
    refuse(f.error);
  if (f.is_directory && !as_directory && !from->options.index.empty()) {
    const target_parts parts = split_target(rq.target);
    rs.status = 301;
    // not "//host/", which would lead elsewhere
    const std::size_t begin = std::min(parts.path.find_first_not_of('/'), parts.path.size());
    std::string to = "/" + std::string(parts.path.substr(begin)) + "/";
    if (!parts.query.empty())
      to.append("?").append(parts.query);
    rs.headers.set("Location", to);
    co_return;
  }
  if (!f.is_file)
    throw http_error(404);

  const std::string tag = tag_of(f);
  rs.headers.set("ETag", tag);
  rs.headers.set("Last-Modified", http_date(f.seconds));
  if (!from->options.cache_control.empty())
    rs.headers.set("Cache-Control", from->options.cache_control);
  if (not_modified(rq, f, tag)) {
    rs.status = 304;
    co_return;
  }
  rs.headers.set("Accept-Ranges", "bytes");
  rs.headers.set("Content-Type", content_type_of(path));
  byte_range range{0, f.size};
  const auto asked = rq.headers.get("Range");
  if (asked && rq.method == "GET" && range_is_current(rq, f, tag))
    if (const auto part = range_of(*asked, f.size)) {
      range = *part;
      rs.status = 206;
      rs.headers.set("Content-Range", "bytes " + std::to_string(range.begin) + "-"
                                        + std::to_string(range.begin + range.size - 1) + "/"
                                        + std::to_string(f.size));
    }
  if (rq.method == "HEAD")
    rs.headers.set("Content-Length", range.size);
  else
    co_await send_file(rs, f, range);
}

} // namespace troupe::http
