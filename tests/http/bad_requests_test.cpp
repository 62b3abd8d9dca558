// SPDX-License-Identifier: BSD-3-Clause
#include "served.hpp"

#include <troupe/testing/wait_all_tasks_blocked.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using namespace std::string_literals;
using troupe_test::first_line;
using troupe_test::served;

namespace {

task<> mirror(http::request& rq, http::response& rs) { rs.body = co_await rq.read_all(); }

const std::string host = "GET / HTTP/1.1\r\nHost: a\r\n";
const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n";
/// What an attacker wants to get through as a request of somebody else.
const std::string smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

struct bad_request {
  const char* what;
  std::string text;
  int status = 400;
};

std::vector<bad_request> bad_requests() {
  const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
  return {
    {"a length and chunks",
     post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"chunks and a length",
     post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"},
    {"two lengths", post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345"},
    {"two lengths that agree", post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n12345"},
    {"a list of lengths", post + "Content-Length: 5, 5\r\n\r\n12345"},
    {"a negative length", post + "Content-Length: -5\r\n\r\n12345"},
    {"a length with a sign", post + "Content-Length: +5\r\n\r\n12345"},
    {"a hexadecimal length", post + "Content-Length: 0x5\r\n\r\n12345"},
    {"no length", post + "Content-Length: \r\n\r\n12345"},
    {"a length beyond all", post + "Content-Length: 18446744073709551621\r\n\r\n12345"},
    {"a length with a space in it", post + "Content-Length: 5 5\r\n\r\n12345"},
    {"two encodings",
     post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"an unknown encoding", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
    {"identity", post + "Transfer-Encoding: identity\r\n\r\n"},
    {"no encoding", post + "Transfer-Encoding: \r\n\r\n0\r\n\r\n"},
    {"chunks that are not the last",
     post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"},
    {"chunks twice", post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501},
    {"compressed chunks", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
    {"an encoding with a tab", post
                                 + "Transfer-Encoding: \x0b"
                                   "chunked\r\n\r\n0\r\n\r\n"},
    {"an encoding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"a space before the colon", post + "Content-Length : 5\r\n\r\n12345"},
    {"a space before a name", post + " Content-Length: 5\r\n\r\n12345"},
    {"a header that goes on", host + "X: a\r\n b\r\n\r\n"},
    {"an empty header that goes on", host + "X:\r\n b\r\n\r\n"},
    {"a header that goes on with nothing", host + "X: a\r\n \r\n\r\n"},
    {"a hidden encoding", post + "X: a\r\n\tTransfer-Encoding: chunked\r\n\r\n"},
    {"line feeds alone", "GET / HTTP/1.1\nHost: a\n\n"},
    {"a line feed in a header", host + "X: a\nY: b\r\n\r\n"},
    {"a carriage return in a header", host + "X: a\rY: b\r\n\r\n"},
    {"a carriage return at the end", host + "\rX: a\r\n\r\n"},
    {"NUL in a header", host + "X: a\0b\r\n\r\n"s},
    {"NUL in a name", host + "X\0: a\r\n\r\n"s},
    {"NUL in the target", "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"s},
    {"a header without a name", host + ": a\r\n\r\n"},
    {"a header without a colon", host + "X\r\n\r\n"},
    {"a name that is no token", host + "X(y): a\r\n\r\n"},
    {"no Host", "GET / HTTP/1.1\r\n\r\n"},
    {"two Hosts", host + "Host: b\r\n\r\n"},
    {"no version", "GET /\r\n\r\n"},
    {"HTTP/2", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
    {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
    {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    {"a small http", "GET / http/1.1\r\nHost: a\r\n\r\n"},
    {"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"a space at the end of the line", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"},
    {"a method that is no token", "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 abc\r\n\r\n"s},
    {"a chunk without a size", chunked + "\r\nabc\r\n0\r\n\r\n"},
    {"a chunk whose size is none", chunked + "xyz\r\nabc\r\n0\r\n\r\n"},
    {"a chunk size with 0x", chunked + "0x3\r\nabc\r\n0\r\n\r\n"},
    {"a chunk size with a sign", chunked + "+3\r\nabc\r\n0\r\n\r\n"},
    {"a chunk size with a space before it", chunked + " 3\r\nabc\r\n0\r\n\r\n"},
    {"a chunk size beyond all", chunked + "10000000000000003\r\nabc\r\n0\r\n\r\n"},
    {"a chunk that is longer than its size", chunked + "3\r\nabcd\r\n0\r\n\r\n"},
    {"a chunk's line with a line feed alone", chunked + "3\nabc\r\n0\r\n\r\n"},
    {"a chunk that ends with a line feed alone", chunked + "3\r\nabc\n0\r\n\r\n"},
    {"a chunk that ends with nothing", chunked + "3\r\nabc0\r\n\r\n"},
    {"a chunk's extension with a NUL", chunked + "3;a=\0\r\nabc\r\n0\r\n\r\n"s},
    {"a chunk's extension with a line feed", chunked + "3;a\nb\r\nabc\r\n0\r\n\r\n"},
    {"a trailer that is none", chunked + "3\r\nabc\r\n0\r\nno header\r\n\r\n"},
    {"a trailer with an encoding", chunked + "3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {"a trailer with a length", chunked + "3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n"},
  };
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_bad_requests)

BOOST_AUTO_TEST_CASE(bad_request_is_refused_and_nothing_behind_it_is_answered) {
  for (const bad_request& bad : bad_requests()) {
    BOOST_TEST_CONTEXT(bad.what) {
      for (const std::size_t piece : {std::size_t{65536}, std::size_t{1}}) {
        served s(mirror);
        std::string got;
        s.play([&](memory_stream& c) -> task<> {
          c.outgoing()->piece(piece);
          co_await c.write_all(bad.text + smuggled);
          co_await c.send_eof();
          got = co_await served::rest_of(c);
        });
        const std::string status = "HTTP/1.1 " + std::to_string(bad.status) + " ";
        BOOST_TEST(got.substr(0, status.size()) == status);
        BOOST_TEST(got.find("Connection: close\r\n") != got.npos);
        BOOST_TEST(got.find("HTTP/1.1 ", 1) == got.npos); // one response
        for (const std::string& line : s.log)
          BOOST_TEST(line.find("smuggled") == line.npos);
        BOOST_TEST(s.failures.empty());
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(unusual_requests_are_answered) {
  const std::string long_line = "GET /" + std::string(3000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const std::string& text :
       {long_line, host + "X:a\r\nY: \t b \r\nZ:\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n"s,
        "GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n"s, "get / HTTP/1.1\r\nhOsT: a\r\n\r\n"s,
        "\r\n\r\n" + host + "\r\n", host + "X: \xc3\xbc\r\n\r\n",
        post
          + "Transfer-Encoding: CHUNKED\r\n\r\n00003;a;b=c;d=\"e f\"\r\nabc\r\n0;x\r\nX: y\r\n\r\n",
        post + "Content-Length: 0003\r\n\r\nabc", post + "\r\n"}) {
    served s(mirror);
    BOOST_TEST(first_line(s.talk(text)) == "HTTP/1.1 200 OK");
  }
}

BOOST_AUTO_TEST_CASE(what_is_too_large_is_refused) {
  const auto status = [](const std::string& text, auto set) {
    served s(mirror);
    set(s.options);
    return s.talk(text + smuggled).substr(9, 3);
  };
  const auto as_it_is = [](http::server_options&) {};
  BOOST_TEST(status("GET /" + std::string(8192, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", as_it_is)
             == "414");
  BOOST_TEST(status("GET /" + std::string(20000, 'a'), as_it_is) == "414");
  BOOST_TEST(status(host + "X: " + std::string(16384, 'a') + "\r\n\r\n", as_it_is) == "431");
  BOOST_TEST(status(host + "X: " + std::string(100'000, 'a'), as_it_is) == "431");
  std::string many = host;
  for (int i = 0; i != 100; ++i)
    many += "X: y\r\n";
  BOOST_TEST(status(many + "\r\n", as_it_is) == "431");
  BOOST_TEST(status(many + "\r\n", [](auto& o) { o.header_limit = 101; }) == "200");
  const auto ten = [](http::server_options& o) { o.body_limit = 10; };
  BOOST_TEST(status(post + "Content-Length: 10\r\n\r\n0123456789", ten) == "200");
  BOOST_TEST(status(post + "Content-Length: 11\r\n\r\n0123456789a", ten) == "413");
  BOOST_TEST(status(post + "Content-Length: 9999999999999999999\r\n\r\n", ten) == "413");
  const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
  BOOST_TEST(status(chunked + "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n", ten) == "200");
  BOOST_TEST(status(chunked + "5\r\n01234\r\n6\r\n56789a\r\n0\r\n\r\n", ten) == "413");
  BOOST_TEST(status(chunked + "5;" + std::string(100'000, 'x') + "\r\n01234\r\n0\r\n\r\n", as_it_is)
             == "400");
  BOOST_TEST(status(chunked + "0\r\n" + std::string(100'000, 'x') + ": y\r\n\r\n", as_it_is)
             == "400");
}

BOOST_AUTO_TEST_CASE(slow_clients_are_cut_off) {
  served s(mirror);
  s.options.body_rate = 100;
  const auto answer_to = [&](std::vector<std::string> pieces, duration pause, duration& took) {
    std::string got;
    s.play([&](memory_stream& c) -> task<> {
      const auto begin = current_time();
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_service([&]() -> task<> {
          for (const std::string& piece : pieces) {
            co_await c.write_all(piece);
            co_await sleep_for(pause);
          }
          co_await sleep_forever();
        });
        buffered_reader reader(c);
        if (const auto line = co_await reader.read_line())
          got = *line;
        took = current_time() - begin;
      });
    });
    return got;
  };
  duration took{};
  // nothing at all: closed without a word
  BOOST_TEST(answer_to({}, 1s, took).empty());
  BOOST_TEST((took == 75s));
  // nothing but empty lines, or less
  BOOST_TEST(answer_to(std::vector<std::string>(5, "\r\n"), 74s, took).empty());
  BOOST_TEST((took == 75s));
  BOOST_TEST(answer_to({"\r", "\n\r"}, 70s, took).empty());
  BOOST_TEST((took == 75s));
  // a head that never ends
  std::vector<std::string> head{host};
  head.resize(100, "X: y\r\n");
  BOOST_TEST(answer_to(head, 1s, took) == "HTTP/1.1 408 Request Timeout");
  BOOST_TEST((took == 10s));
  // a body that stops
  BOOST_TEST(answer_to({post + "Content-Length: 10\r\n\r\n12345"}, 1s, took)
             == "HTTP/1.1 408 Request Timeout");
  BOOST_TEST((took == 30s));
  // a body that trickles
  std::vector<std::string> body{post + "Content-Length: 1000\r\n\r\n"};
  body.resize(1000, "x");
  BOOST_TEST(answer_to(body, 1s, took) == "HTTP/1.1 408 Request Timeout");
  BOOST_TEST((took >= 30s && took <= 32s));
}

BOOST_AUTO_TEST_CASE(client_that_does_not_read_is_cut_off) {
  served s([](http::request&, http::response& rs) -> task<> {
    rs.body.assign(1'000'000, 'x');
    co_return;
  });
  s.play([&](memory_stream& c) -> task<> {
    const auto begin = current_time();
    co_await c.write_all(host + "\r\n");
    co_await sleep_for(1h);
    BOOST_CHECK_THROW(co_await served::rest_of(c), connection_reset);
    BOOST_TEST((current_time() - begin == 1h));
  });
  BOOST_REQUIRE(s.log.size() == 1U);
  BOOST_TEST(s.log[0] == "GET / 200 cut");
}

BOOST_AUTO_TEST_CASE(client_that_leaves_is_nobodys_failure) {
  for (const std::string& text : {""s, "GET"s, host, post + "Content-Length: 10\r\n\r\n12345",
                                  post + "Transfer-Encoding: chunked\r\n\r\n5\r\n123"}) {
    served s(mirror);
    s.play([&](memory_stream& c) -> task<> {
      co_await c.write_all(text);
      co_await wait_all_tasks_blocked();
      c.outgoing()->reset();
      c.incoming()->reset();
    });
    BOOST_TEST(s.failures.empty());
  }
}

BOOST_AUTO_TEST_SUITE_END()
