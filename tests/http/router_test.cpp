// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/http/router.hpp>

#include "served.hpp"

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>

using namespace troupe;
using troupe_test::body_of;
using troupe_test::first_line;
using troupe_test::served;

namespace {

http::handler says(std::string text) {
  return [text](http::request&, http::response& rs) -> task<> {
    rs.body = text;
    co_return;
  };
}

std::string ask(const http::router& app, const std::string& method, const std::string& target) {
  served s(app);
  return s.talk(method + " " + target + " HTTP/1.1\r\nHost: a\r\n\r\n");
}

std::string body(const http::router& app, const std::string& target) {
  return body_of(ask(app, "GET", target));
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_router)

BOOST_AUTO_TEST_CASE(path_and_method_find_the_handler) {
  http::router app;
  app.get("/", says("root")).get("/a", says("a")).post("/a", says("posted"));
  app.get("/a/", says("a slash")).add("*", "/any", says("any"));
  BOOST_TEST(body(app, "/") == "root");
  BOOST_TEST(body(app, "/?x=/a") == "root");
  BOOST_TEST(body(app, "http://host/a") == "a");
  BOOST_TEST(body(app, "/a/") == "a slash");
  BOOST_TEST(body(app, "/%61") == "a");
  BOOST_TEST(body_of(ask(app, "POST", "/a")) == "posted");
  BOOST_TEST(body_of(ask(app, "PATCH", "/any")) == "any");
  BOOST_TEST(first_line(ask(app, "GET", "/b")) == "HTTP/1.1 404 Not Found");
  BOOST_TEST(first_line(ask(app, "GET", "/a/b")) == "HTTP/1.1 404 Not Found");
  BOOST_TEST(first_line(ask(app, "OPTIONS", "*")) == "HTTP/1.1 404 Not Found");
  BOOST_TEST(first_line(ask(app, "GET", "/%zz")) == "HTTP/1.1 400 Bad Request");
}

BOOST_AUTO_TEST_CASE(other_methods_are_not_allowed) {
  http::router app;
  app.get("/a", says("a")).post("/a", says("posted"));
  const std::string refused = ask(app, "DELETE", "/a");
  BOOST_TEST(first_line(refused) == "HTTP/1.1 405 Method Not Allowed");
  BOOST_TEST(refused.find("Allow: GET, HEAD, POST\r\n") != refused.npos);
  const std::string head = ask(app, "HEAD", "/a");
  BOOST_TEST(first_line(head) == "HTTP/1.1 200 OK");
  BOOST_TEST(head.find("Content-Length: 1\r\n") != head.npos);
  BOOST_TEST(body_of(head).empty());
}

BOOST_AUTO_TEST_CASE(names_take_parts_of_the_path) {
  http::router app;
  const http::handler show = [](http::request& rq, http::response& rs) -> task<> {
    rs.body = std::string(rq.param("id")) + "|" + std::string(rq.query().get("q", "-"));
    co_return;
  };
  app.get("/users/{id}", show).get("/users/me", says("me")).get("/users/{id}/posts/{post}", show);
  app.get("/files/{id...}", show).get("/files/{name}/info", says("info"));
  BOOST_TEST(body(app, "/users/7?q=x%20y") == "7|x y");
  BOOST_TEST(body(app, "/users/a%2Fb%20c") == "a/b c|-");
  BOOST_TEST(body(app, "/users/me") == "me");
  BOOST_TEST(body(app, "/users/me/posts/1") == "me|-");
  BOOST_TEST(body(app, "/files/a/b/c") == "a/b/c|-");
  BOOST_TEST(body(app, "/files/") == "|-");
  BOOST_TEST(body(app, "/files/a/info") == "info");
  BOOST_TEST(body(app, "/files/a/infos") == "a/infos|-");
  BOOST_TEST(first_line(ask(app, "GET", "/users/")) == "HTTP/1.1 404 Not Found");
  BOOST_TEST(first_line(ask(app, "GET", "/files")) == "HTTP/1.1 404 Not Found");
  BOOST_TEST(first_line(ask(app, "GET", "/users/7?q=%")) == "HTTP/1.1 400 Bad Request");
}

BOOST_AUTO_TEST_CASE(routes_that_make_no_sense_are_refused) {
  http::router app;
  app.get("/a/{x}", says(""));
  for (const char* path : {"", "a", "/{", "/a{x}", "/{}", "/{x}/{x}", "/{x...}/y", "/a/{y}"})
    BOOST_CHECK_THROW(app.get(path, says("")), std::invalid_argument);
  BOOST_CHECK_THROW(app.add("G T", "/g", says("")), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(middleware_surrounds_all_answers) {
  http::router app;
  app.wrap([](http::request& rq, http::response& rs, const http::handler& next) -> task<> {
    rs.headers.add("X-Outer", "yes");
    if (rq.path() == "/closed")
      throw http::http_error(403, "closed");
    co_await next(rq, rs);
    rs.body += " outer";
  });
  app.wrap([](http::request& rq, http::response& rs, const http::handler& next) -> task<> {
    co_await next(rq, rs);
    rs.body += " inner";
  });
  app.get("/", says("hello"));
  const std::string got = ask(app, "GET", "/");
  BOOST_TEST(got.find("X-Outer: yes") != got.npos);
  BOOST_TEST(body_of(got) == "hello inner outer");
  BOOST_TEST(body(app, "/closed") == "closed\n");
  BOOST_TEST(first_line(ask(app, "GET", "/none")) == "HTTP/1.1 404 Not Found");
}

BOOST_AUTO_TEST_SUITE_END()
