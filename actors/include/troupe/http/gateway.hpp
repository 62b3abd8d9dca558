// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/http/headers.hpp>
#include <troupe/http/request.hpp>
#include <troupe/http/response.hpp>
#include <troupe/task.hpp>

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::http {

/// A request as WSGI (PEP 3333) and CGI name it, for a function on a thread.
class gateway_environ {
public:
  /// `REQUEST_METHOD`, `SCRIPT_NAME`, `PATH_INFO` (decoded), `QUERY_STRING`, `CONTENT_TYPE`,
  /// `CONTENT_LENGTH`, `SERVER_NAME`, `SERVER_PORT`, `SERVER_PROTOCOL`, `REMOTE_ADDR`,
  /// `REMOTE_PORT`, `wsgi.url_scheme`, and `HTTP_...` for each header. Those of one name are
  /// joined; one whose name has a "_" is left out, since it would pass for another.
  std::map<std::string, std::string, std::less<>> variables = {};

  /// The variable, or empty.
  [[nodiscard]] std::string_view operator[](std::string_view name) const noexcept;

  /// `wsgi.input`. These block the thread, and throw as `request::read_some`: a part of the
  /// body, 0 at its end; at most so many bytes of it, less only at its end; the next line with
  /// its "\n", or the first bytes of it, empty at the end; all that is left. None waits for more
  /// than it gives.
  std::size_t read_some(std::span<std::byte> into);
  std::string read(std::size_t at_most);
  std::string read_line(std::size_t at_most = std::string::npos);
  std::string read_all();

private:
  friend class gateway;
  explicit gateway_environ(request& rq) noexcept : request_(&rq) {}
  bool fill();

  request* request_;
  std::string ahead_; // read, and not given out
};

/// What an application gives: pieces, each sent before the next one is asked for. One that is known
/// to be alone is sent with its length.
class gateway_body {
public:
  /// Called on the application's thread until it gives nothing, or the client has left.
  using source = std::function<std::optional<std::string>()>;

  // NOLINTBEGIN(google-explicit-constructor): an application just returns its text
  gateway_body(std::string text);
  gateway_body(const char* text) : gateway_body(std::string(text)) {}
  gateway_body(std::vector<std::string> pieces);
  gateway_body(source next) : next_(std::move(next)) {}
  // NOLINTEND(google-explicit-constructor)

  /// `alone`: there will be one piece.
  gateway_body(source next, bool alone) : alone_(alone), next_(std::move(next)) {}

  [[nodiscard]] std::optional<std::string> next() { return next_(); }
  [[nodiscard]] bool alone() const noexcept { return alone_; }

private:
  bool alone_ = false;
  source next_;
};

/// Says what the response begins with: "200 OK" and the headers. To be called before the first
/// piece is given; again only before it was sent. Throws `std::invalid_argument`.
using start_response = std::function<void(std::string_view status, const headers& fields)>;

/// A web application after WSGI: called on a thread, where it may block.
///
///     http::gateway_body app(http::gateway_environ& env, const http::start_response& start) {
///       start("200 OK", {{"Content-Type", "text/plain"}});
///       return "You asked for " + std::string(env["PATH_INFO"]) + "\n";
///     }
using application = std::function<gateway_body(gateway_environ&, const start_response&)>;

/// How applications are called.
struct gateway_options {
  std::size_t threads = 8;      ///< calls at a time; further requests wait
  std::string script_name = {}; ///< where it is: the part of the path that is not in `PATH_INFO`
};

/// Puts an application behind a route: each request is a call on a thread of a pool of its own,
/// and no loop waits for it.
///
///     router.add("*", "/{path...}", http::gateway(app));
///
/// Copies share the pool and the application, which must stand being called by several threads
/// at once, or be given one.
class gateway {
public:
  explicit gateway(application app);
  gateway(application app, const gateway_options& options);

  /// Answers. Throws what the application throws, and what reading the request and writing the
  /// response throw. A checkpoint; cancelled, it waits for the application, whose next read or
  /// write throws `task_cancelled`.
  [[nodiscard]] task<> operator()(request& rq, response& rs) const;

private:
  struct shared;
  static void call(const shared& all, request& rq, response& rs);

  std::shared_ptr<const shared> shared_;
};

} // namespace troupe::http
