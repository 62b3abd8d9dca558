// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/http/client_session.hpp>
#include <troupe/http/router.hpp>
#include <troupe/http/server.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/troupe.hpp>
#include <troupe/wsgi/python.hpp>

#include "support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <string>

using namespace troupe;
using namespace std::chrono_literals;
using troupe_test::make_file;

namespace {

constexpr const char* applications = R"(
import threading
from wsgiref.validate import validator

closed = []

def plain(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    text = "%s %s?%s %s" % (environ["REQUEST_METHOD"], environ["PATH_INFO"],
                            environ["QUERY_STRING"], body.decode())
    start_response("200 Fine", [("Content-Type", "text/plain"), ("X-Host", environ["HTTP_HOST"])])
    return [text.encode()]

checked = validator(plain)

def lines(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    for line in environ["wsgi.input"]:
        yield b"<" + line.rstrip(b"\n") + b">"

def parts(environ, start_response):
    body = environ["wsgi.input"]
    got = [body.readline(2), body.read(3), body.readline(1), body.readline(), body.readline(4),
           body.readline(0), body.read(2), body.readline(2), body.readline(100), body.read(),
           body.read(1), body.readline(1)]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"|".join(got)]

class endless:
    def __iter__(self):
        return self
    def __next__(self):
        return b"x" * 10000
    def close(self):
        closed.append(True)

def forever(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return endless()

def how_many_closed(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(str(len(closed)).encode())
    return []

def fails(environ, start_response):
    raise KeyError("the reason")

def late(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"x"
    raise KeyError("too late")

def splits(environ, start_response):
    start_response("200 OK", [("X", "a\r\nSet-Cookie: b=c")])
    return []

def text(environ, start_response):
    start_response("200 OK", [])
    return ["not bytes"]

def silent(environ, start_response):
    return [b"x"]

met = threading.Barrier(8)

def meets(environ, start_response):
    met.wait(30) # until there are eight at the same time
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(threading.get_ident()).encode()]

nothing = 17
)";

constexpr const char* flask_application = R"(
from flask import Flask, request, Response, stream_with_context
app = Flask(__name__)

@app.route("/hello/<name>")
def hello(name):
    return "Hello, %s! %s" % (name, request.args.get("x", ""))

@app.route("/sum", methods=["POST"])
def total():
    return {"sum": sum(request.get_json())}

@app.route("/count")
def count():
    def numbers():
        for i in range(5):
            yield "%d of %s\n" % (i, request.path)
    return Response(stream_with_context(numbers()), mimetype="text/plain")

@app.route("/bad")
def bad():
    raise ValueError("on purpose")
)";

/// One for all tests: Python does not like to be started again.
struct python_and_files {
  troupe_test::temporary_directory folder;
  std::unique_ptr<wsgi::python> python;

  python_and_files() {
    make_file(folder / "troupe_applications.py", applications);
    make_file(folder / "troupe_flask.py", flask_application);
    python = std::make_unique<wsgi::python>(std::vector{folder.path().string()});
  }
};

wsgi::python& python() {
  static const python_and_files all;
  return *all.python;
}

using served = std::function<task<>(http::client_session&, const std::string& site)>;

/// Runs `body` while an application is served.
void serve(const std::string& what, const served& body) {
  http::gateway app(python().load(what));
  testing::run_test({.name = "wsgi", .virtual_time = false, .check_leaks = false}, [&]() -> task<> {
    tcp_listener listener(0, {.address = "127.0.0.1"});
    const std::string site = "http://127.0.0.1:" + std::to_string(listener.port());
    http::router routes;
    routes.add("*", "/{path...}", app);
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        http::server_options quiet;
        quiet.on_failure = [](const std::exception_ptr&, const http::access_record&) {};
        co_await http::serve(std::ref(routes), std::move(listener), quiet);
      });
      co_await http::with_client_session(
        [&](http::client_session& session) -> task<> { co_await body(session, site); });
      n.cancel("the test is over");
    });
  });
}

} // namespace

BOOST_AUTO_TEST_SUITE(wsgi_hosts)

BOOST_AUTO_TEST_CASE(an_application_is_called_as_pep_3333_says) {
  for (const char* app : {"troupe_applications:plain", "troupe_applications:checked"})
    serve(app, [](http::client_session& session, const std::string& site) -> task<> {
      auto got = co_await session.get(site + "/a%20b/c?d=e%20f");
      BOOST_TEST(got.status() == 200);
      BOOST_TEST(got.reason() == "Fine");
      BOOST_TEST(got.headers().get("X-Host", "") == site.substr(7));
      BOOST_TEST(co_await got.text() == "GET /a b/c?d=e%20f ");
      auto sent = co_await session.post(site + "/", std::string(100'000, 'x'), "text/plain");
      BOOST_TEST((co_await sent.text() == "POST /? " + std::string(100'000, 'x')));
    });
}

BOOST_AUTO_TEST_CASE(input_is_read_by_lines_and_output_streamed) {
  serve("troupe_applications:lines",
        [](http::client_session& session, const std::string& site) -> task<> {
          auto got = co_await session.post(site + "/", "one\ntwo\n\nlast", "text/plain");
          BOOST_TEST(co_await got.text() == "<one><two><><last>");
        });
}

BOOST_AUTO_TEST_CASE(input_is_never_more_than_was_asked_for) {
  serve("troupe_applications:parts",
        [](http::client_session& session, const std::string& site) -> task<> {
          auto got =
            co_await session.post(site + "/", "a long line\nanother line\nand\nlast", "text/plain");
          BOOST_TEST(co_await got.text() == "a |lon|g| line\n|anot||he|r |line\n|and\nlast||");
        });
}

BOOST_AUTO_TEST_CASE(what_fails_is_answered_or_cut_off) {
  for (const char* app : {"fails", "splits", "text", "silent"})
    serve(std::string("troupe_applications:") + app,
          [&](http::client_session& session, const std::string& site) -> task<> {
            const auto got = co_await session.get(site + "/");
            BOOST_TEST(got.status() == 500, app);
            BOOST_TEST(!got.headers().contains("Set-Cookie"));
          });
  BOOST_CHECK_THROW(static_cast<void>(python().load("troupe_applications:nothing")),
                    wsgi::python_error);
  BOOST_CHECK_THROW(static_cast<void>(python().load("troupe_applications:missing")),
                    wsgi::python_error);
  BOOST_CHECK_THROW(static_cast<void>(python().load("no_such_module")), wsgi::python_error);
  BOOST_CHECK_THROW(wsgi::python(), usage_error);
}

BOOST_AUTO_TEST_CASE(an_iterable_is_closed_also_when_the_client_leaves) {
  serve("troupe_applications:forever",
        [](http::client_session& session, const std::string& site) -> task<> {
          auto got = co_await session.get(site + "/");
          std::vector<std::byte> some(1000);
          BOOST_TEST(co_await got.read_some(some) > 0u);
        });
  serve("troupe_applications:how_many_closed",
        [](http::client_session& session, const std::string& site) -> task<> {
          auto got = co_await session.get(site + "/");
          BOOST_TEST(co_await got.text() == "1");
        });
}

BOOST_AUTO_TEST_CASE(applications_wait_on_threads_and_block_no_loop) {
  serve("troupe_applications:meets",
        [](http::client_session& session, const std::string& site) -> task<> {
          co_await with_nursery([&](nursery& n) -> task<> {
            for (int i = 0; i < 8; ++i)
              n.start_soon([&]() -> task<> {
                auto got = co_await session.get(site + "/");
                BOOST_TEST(got.status() == 200);
                static_cast<void>(co_await got.text());
              });
            co_return;
          });
        });
}

BOOST_AUTO_TEST_CASE(a_real_flask_application_runs) {
  std::string missing;
  try {
    static_cast<void>(python().load("troupe_flask"));
  } catch (const wsgi::python_error& e) {
    missing = e.what();
  }
  if (missing.find("No module named 'flask'") != missing.npos) {
    BOOST_TEST_MESSAGE("skipped: python3-flask is not installed");
    return;
  }
  BOOST_REQUIRE(missing == "");
  serve("troupe_flask", [](http::client_session& session, const std::string& site) -> task<> {
    auto hello = co_await session.get(site + "/hello/World?x=1");
    BOOST_TEST(co_await hello.text() == "Hello, World! 1");
    auto sum = co_await session.post(site + "/sum", "[1, 2, 39]", "application/json");
    BOOST_TEST((co_await sum.text()).find("42") != std::string::npos);
    auto count = co_await session.get(site + "/count");
    BOOST_TEST(co_await count.text()
               == "0 of /count\n1 of /count\n2 of /count\n3 of /count\n4 of /count\n");
    const auto bad = co_await session.get(site + "/bad");
    BOOST_TEST(bad.status() == 500);
    const auto nowhere = co_await session.get(site + "/nowhere");
    BOOST_TEST(nowhere.status() == 404);
  });
}

BOOST_AUTO_TEST_SUITE_END()
