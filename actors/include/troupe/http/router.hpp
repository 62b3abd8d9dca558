// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/http/server.hpp>
#include <troupe/task.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::http {

/// Calls the next handler, or answers in its place; what it does before and after surrounds it.
///
///     app.wrap([](http::request& rq, http::response& rs, const http::handler& next) -> task<> {
///       if (!rq.headers.contains("Authorization"))
///         throw http::http_error(401);
///       co_await next(rq, rs);
///     });
using middleware = std::function<task<>(request&, response&, const handler& next)>;

/// Finds the handler of a request by its method and path.
///
///     http::router app;
///     app.get("/", front_page);
///     app.get("/users/{id}", user);           // request::param("id")
///     app.get("/files/{path...}", files);     // all that is left, "a/b"
///     co_await http::serve(app, 8080);
///
/// A part of a path that is written out goes before a "{name}", and that before a "{name...}",
/// which may be empty. Parts are compared decoded: "%2F" in a part is not a "/" between two.
/// HEAD is answered by the handler of GET. A path that is not there is 404; one that is, but
/// not for the method, 405 with `Allow`.
///
/// A router is a handler: copies share the routes, so that adding to one while it serves is a
/// mistake. `wrap` surrounds all that the router answers, 404 and 405 too; what was given
/// first is the outermost.
class router {
public:
  router();

  /// `method` "*": all that have no handler of their own there. Throws
  /// `std::invalid_argument` if the path is badly written, or has a handler already.
  router& add(std::string_view method, std::string_view path, handler answer);

  router& get(std::string_view path, handler answer) { return add("GET", path, std::move(answer)); }
  router& post(std::string_view path, handler answer) {
    return add("POST", path, std::move(answer));
  }
  router& put(std::string_view path, handler answer) { return add("PUT", path, std::move(answer)); }
  router& del(std::string_view path, handler answer) {
    return add("DELETE", path, std::move(answer));
  }

  /// Surrounds all handlers, those added later too.
  router& wrap(middleware around);

  /// Answers. Throws `http_error`, and what the handler throws. A checkpoint if the handler has
  /// one.
  [[nodiscard]] task<> operator()(request& rq, response& rs) const;

private:
  struct node;
  struct routes;

  std::shared_ptr<routes> routes_;
};

} // namespace troupe::http
