// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/http/request.hpp>
#include <troupe/http/response.hpp>
#include <troupe/task.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace troupe::http {

/// How files are served.
struct static_options {
  std::string parameter = "path";   ///< of the route, which names the file
  std::string index = "index.html"; ///< answers for its directory; empty: none does
  bool hidden = false;              ///< also what begins with a dot
  std::string cache_control = {};   ///< the header; empty: there is none
};

/// Serves the files of a directory: a handler for a route with a "{path...}".
///
///     app.get("/static/{path...}", http::static_files("/srv/www"));
///
/// Nothing outside of the directory is ever opened, neither by ".." nor by a link: the kernel
/// is told so. Only plain files are served, and what is not there, or may not be read, is 404.
/// A directory is answered with its index, after a redirect to its name with a "/".
///
/// One range of bytes (`Range`, `If-Range`) is given as 206, several as the whole; `ETag` and
/// `Last-Modified` are answered with 304 when they are asked for again (`If-None-Match`,
/// `If-Modified-Since`). The type goes by the name.
///
/// No loop waits for a disk: what is not in memory is opened and read on a thread. Copies share
/// the directory; for all loops.
class static_files {
public:
  /// Opens the directory. Throws `file_error`. Not a checkpoint.
  explicit static_files(const std::filesystem::path& root, static_options options);
  explicit static_files(const std::filesystem::path& root);

  /// Answers. Throws `http_error`, and what `response::write` throws. A checkpoint.
  [[nodiscard]] task<> operator()(request& rq, response& rs) const;

private:
  struct directory;
  std::shared_ptr<const directory> directory_;
};

/// The type of what has such a name: "text/html; charset=utf-8" for "a.html",
/// "application/octet-stream" for what nobody knows.
[[nodiscard]] std::string_view content_type_of(std::string_view name) noexcept;

} // namespace troupe::http
