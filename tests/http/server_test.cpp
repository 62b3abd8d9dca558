// SPDX-License-Identifier: BSD-3-Clause
#include "served.hpp"

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using troupe_test::body_of;
using troupe_test::first_line;
using troupe_test::get;
using troupe_test::served;

namespace {

task<> hello(http::request&, http::response& rs) {
  rs.body = "hello\n";
  co_return;
}

/// Says what it was sent, and how.
task<> mirror_with_method(http::request& rq, http::response& rs) {
  rs.body = rq.method + ":" + co_await rq.read_all();
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_server)

BOOST_AUTO_TEST_CASE(handler_answers) {
  served s(hello);
  BOOST_TEST(s.talk(get)
             == "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
                "Content-Length: 6\r\n\r\nhello\n");
  BOOST_REQUIRE(s.log.size() == 1U);
  BOOST_TEST(s.log[0] == "GET / 200");
}

BOOST_AUTO_TEST_CASE(status_that_is_none_is_a_mistake_of_the_handler) {
  for (const int status : {101, 102, 199, 600, 999, 1000, 0, -5})
    for (const std::string how : {"sets", "streams", "catches", "throws"}) {
      served s([&](http::request&, http::response& rs) -> task<> {
        if (how == "throws")
          throw http::http_error(status);
        rs.status = status;
        rs.body = "never seen";
        if (how == "streams")
          co_await rs.write("more");
        if (how == "catches")
          BOOST_CHECK_THROW(co_await rs.write("more"), usage_error);
      });
      const std::string got = s.talk(get + get); // and goes on
      BOOST_TEST_CONTEXT(status << " " << how) {
        BOOST_TEST(first_line(got) == "HTTP/1.1 500 Internal Server Error");
        BOOST_TEST(got.find("HTTP/1.1 500", 1) != got.npos);
        BOOST_TEST(got.find("never") == got.npos);
        BOOST_REQUIRE(s.failures.size() == 2U);
        if (how != "throws")
          BOOST_TEST(s.failures[0]
                     == "the handler of GET / has set the status " + std::to_string(status)
                          + ": that of a response is from 200 to 599");
        BOOST_REQUIRE(s.log.size() == 2U);
        BOOST_TEST(s.log[0] == "GET / 500");
      }
    }
  for (const int status : {200, 299, 404, 418, 599}) {
    served s([&](http::request&, http::response& rs) -> task<> {
      rs.status = status;
      co_return;
    });
    BOOST_TEST(first_line(s.talk(get)).substr(9, 3) == std::to_string(status));
    BOOST_TEST(s.failures.empty());
  }
}

BOOST_AUTO_TEST_CASE(connection_is_kept_and_requests_are_pipelined) {
  served s(mirror_with_method);
  const std::string got =
    s.talk("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none" + get
           + "\r\nPUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
             "3\r\ntwo\r\n5;x=y\r\nthree\r\n0\r\nTrailer: x\r\n\r\n"
             "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
           + get);
  std::size_t count = 0;
  for (std::size_t at = got.find("HTTP/1.1 200"); at != got.npos;
       at = got.find("HTTP/1.1 200", at + 1))
    ++count;
  BOOST_TEST(count == 4U);
  BOOST_TEST(got.find("\r\n\r\nPOST:oneHTTP") != got.npos);
  BOOST_TEST(got.find("\r\n\r\nPUT:twothreeHTTP") != got.npos);
  BOOST_TEST(got.ends_with("Connection: close\r\n\r\nGET:"));
}

BOOST_AUTO_TEST_CASE(it_works_byte_by_byte) {
  served s(mirror_with_method);
  std::string got;
  s.play([&](memory_stream& c) -> task<> {
    c.outgoing()->piece(1);
    c.incoming()->piece(1);
    co_await c.write_all("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "3\r\ntwo\r\n5;x=y\r\nthree\r\n0\r\nTrailer: x\r\n\r\n"
                         + get);
    co_await c.send_eof();
    got = co_await served::rest_of(c);
  });
  BOOST_TEST(got.find("PUT:twothreeHTTP/1.1 200") != got.npos);
  BOOST_TEST(got.ends_with("GET:"));
}

BOOST_AUTO_TEST_CASE(http_1_0_closes_unless_asked_not_to) {
  served s(hello);
  BOOST_TEST(s.talk("GET / HTTP/1.0\r\n\r\n" + get).ends_with("Connection: close\r\n\r\nhello\n"));
  const std::string kept = s.talk("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get);
  BOOST_TEST(kept.find("Connection: keep-alive\r\n\r\nhello\nHTTP/1.1 200") != kept.npos);
}

BOOST_AUTO_TEST_CASE(responses_are_streamed) {
  served s([](http::request& rq, http::response& rs) -> task<> {
    rs.headers.set("Content-Type", "text/x");
    if (rq.path() == "/sized")
      rs.headers.set("Content-Length", std::uint64_t{6});
    rs.body = "1";
    BOOST_TEST(!rs.started());
    co_await rs.write("23");
    BOOST_TEST(rs.started());
    co_await rs.write("456");
  });
  BOOST_TEST(s.talk(get)
             == "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nTransfer-Encoding: chunked\r\n\r\n"
                "3\r\n123\r\n3\r\n456\r\n0\r\n\r\n");
  BOOST_TEST(s.talk("GET /sized HTTP/1.1\r\nHost: a\r\n\r\n")
             == "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 6\r\n\r\n123456");
  BOOST_TEST(s.talk("GET / HTTP/1.0\r\n\r\n")
             == "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nConnection: close\r\n\r\n123456");
  BOOST_TEST(s.talk("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
             == "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nTransfer-Encoding: chunked\r\n\r\n");
}

BOOST_AUTO_TEST_CASE(large_bodies_pass_both_ways) {
  served s([](http::request& rq, http::response& rs) -> task<> {
    rq.body_limit(1U << 24U);
    rs.body = co_await rq.read_all();
  });
  std::string body(3'000'000, 'x');
  for (std::size_t i = 0; i < body.size(); i += 1000)
    body[i] = static_cast<char>('a' + i / 1000 % 26);
  std::string got;
  s.play([&](memory_stream& c) -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        co_await c.write_all("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: "
                             + std::to_string(body.size()) + "\r\n\r\n");
        co_await c.write_all(body);
        co_await c.send_eof();
      });
      got = co_await served::rest_of(c);
    });
  });
  BOOST_TEST((body_of(got) == body));
}

BOOST_AUTO_TEST_CASE(heads_without_a_body_have_none) {
  served s([](http::request& rq, http::response& rs) -> task<> {
    rs.status = rq.path() == "/204" ? 204 : rq.path() == "/304" ? 304 : 200;
    rs.body = "body";
    co_return;
  });
  const std::string got = s.talk("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
                                 "GET /204 HTTP/1.1\r\nHost: a\r\n\r\n"
                                 "GET /304 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  BOOST_TEST(got
             == "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
                "Content-Length: 4\r\n\r\n"
                "HTTP/1.1 204 No Content\r\n\r\n"
                "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\nConnection: close\r\n\r\n");
}

BOOST_AUTO_TEST_CASE(what_a_handler_throws_is_the_answer) {
  served s([](http::request& rq, http::response&) -> task<> {
    if (rq.path() == "/teapot")
      throw http::http_error(418, "short and stout", {{"X-Spout", "yes"}});
    if (rq.path() == "/down")
      throw http::http_error(503, "the secret database is down");
    throw std::runtime_error("a secret");
    co_return;
  });
  const std::string got = s.talk("GET /teapot HTTP/1.1\r\nHost: a\r\n\r\n"
                                 "GET /down HTTP/1.1\r\nHost: a\r\n\r\n"
                                 + get);
  BOOST_TEST(got.find("HTTP/1.1 418 I'm a teapot\r\nX-Spout: yes\r\n") == 0U);
  BOOST_TEST(got.find("\r\n\r\nshort and stout\nHTTP/1.1 503") != got.npos);
  BOOST_TEST(got.find("\r\n\r\nService Unavailable\nHTTP/1.1 500 ") != got.npos);
  BOOST_TEST(got.ends_with("\r\n\r\nInternal Server Error\n"));
  BOOST_TEST(got.find("secret") == got.npos);
  BOOST_REQUIRE(s.failures.size() == 2U);
  BOOST_TEST(s.failures[0].find("secret database") != std::string::npos);
  BOOST_TEST(s.failures[1] == "a secret");
}

BOOST_AUTO_TEST_CASE(failure_in_the_middle_of_a_response_cuts_it_off) {
  served s([](http::request&, http::response& rs) -> task<> {
    co_await rs.write("begun");
    throw std::runtime_error("broken");
  });
  s.play([&](memory_stream& c) -> task<> {
    co_await c.write_all(get);
    std::string got;
    try {
      got = co_await served::rest_of(c);
    } catch (const connection_reset&) {
    }
    BOOST_TEST(got.find("0\r\n\r\n") == got.npos);
  });
  BOOST_REQUIRE(s.failures.size() == 1U);
  BOOST_TEST(s.failures[0] == "broken");
  BOOST_REQUIRE(s.log.size() == 1U);
  BOOST_TEST(s.log[0] == "GET / 200 cut");
}

BOOST_AUTO_TEST_CASE(length_that_is_not_kept_is_a_mistake) {
  served s([](http::request& rq, http::response& rs) -> task<> {
    rs.headers.set("Content-Length", "4");
    co_await rs.write(rq.path() == "/more" ? "12345" : "123");
  });
  for (const char* path : {"/less", "/more"}) {
    s.play([&](memory_stream& c) -> task<> {
      co_await c.write_all(std::string("GET ") + path + " HTTP/1.1\r\nHost: a\r\n\r\n");
      try {
        static_cast<void>(co_await served::rest_of(c));
      } catch (const connection_reset&) {
      }
    });
  }
  BOOST_REQUIRE(s.failures.size() == 2U);
  BOOST_TEST(s.failures[0].find("has ended after 3") != std::string::npos);
  BOOST_TEST(s.failures[1].find("was given more") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(client_that_waits_is_told_to_continue) {
  served s([](http::request& rq, http::response& rs) -> task<> {
    if (rq.path() == "/no")
      throw http::http_error(403);
    rs.body = co_await rq.read_all();
  });
  const auto ask = [](const std::string& path) {
    return "PUT " + path
           + " HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
  };
  s.play([&](memory_stream& c) -> task<> {
    buffered_reader reader(c);
    co_await c.write_all(ask("/yes"));
    BOOST_TEST(co_await reader.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    co_await c.write_all("ok");
    BOOST_TEST(first_line(co_await reader.read_until("\r\n\r\nok")) == "HTTP/1.1 200 OK");
    co_await c.write_all(ask("/no"));
    const std::string got = co_await reader.read_to_end(10000);
    BOOST_TEST(first_line(got) == "HTTP/1.1 403 Forbidden");
    BOOST_TEST(got.find("Connection: close") != got.npos);
  });
  BOOST_TEST(first_line(s.talk("PUT / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n"))
             == "HTTP/1.1 417 Expectation Failed");
}

BOOST_AUTO_TEST_CASE(short_rest_of_a_body_is_passed_over_and_a_long_one_is_not) {
  served s(hello);
  BOOST_TEST(s.talk("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345" + get)
               .find("hello\nHTTP/1.1 200 OK")
             != std::string::npos);
  const std::string got =
    s.talk("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + get);
  BOOST_TEST(got.ends_with("Connection: close\r\n\r\nhello\n"));
}

BOOST_AUTO_TEST_CASE(requests_of_a_connection_are_counted) {
  served s(hello);
  s.options.requests_per_connection = 2;
  s.options.name = "troupe";
  const std::string got = s.talk(get + get + get);
  BOOST_TEST(s.log.size() == 2U);
  BOOST_TEST(got.find("Server: troupe\r\n") != got.npos);
  BOOST_TEST(got.ends_with("Connection: close\r\n\r\nhello\n"));
}

BOOST_AUTO_TEST_CASE(connection_is_handed_over_by_an_upgrade) {
  served s([](http::request& rq, http::response& rs) -> task<> {
    rs.headers.set("Upgrade", "echo");
    const auto raw = co_await rs.upgrade();
    BOOST_TEST(raw->peer() == rq.peer());
    std::array<std::byte, 3> buffer{};
    while (const std::size_t n = co_await raw->read_some(buffer))
      co_await raw->write_all(std::span(buffer).first(n));
  });
  const std::string got = s.talk("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n"
                                 "Upgrade: echo\r\n\r\nat once");
  BOOST_TEST(
    got
    == "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nat once");
  BOOST_REQUIRE(s.log.size() == 1U);
  BOOST_TEST(s.log[0] == "GET / 101");
  const std::string refused = s.talk(get);
  BOOST_TEST(first_line(refused) == "HTTP/1.1 426 Upgrade Required");
  BOOST_TEST(refused.find("Upgrade: echo\r\n") != refused.npos);
}

BOOST_AUTO_TEST_SUITE_END()
