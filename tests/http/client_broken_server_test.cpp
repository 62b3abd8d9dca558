// SPDX-License-Identifier: BSD-3-Clause
#include "fake_server.hpp"

#include <troupe/http/client_session.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/testing/injection.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::http;
using namespace std::chrono_literals;
using troupe_test::fake_server;
using troupe_test::reply;
using troupe_test::says;
using troupe_test::with_server;

namespace {

task<> read(client_session& session) {
  auto answer = co_await session.get("http://a.example/");
  static_cast<void>(co_await answer.text());
}

/// What comes of reading that.
task<std::string> outcome_of(std::string text, bool reset = false) {
  std::string what;
  co_await with_server(says(std::move(text), reset),
                       [&](fake_server&, client_session& session) -> task<> {
                         what = describe((co_await as_outcome(read(session))).error());
                         BOOST_TEST(session.statistics().connections == 0u);
                       });
  co_return what;
}

std::string request_line_of(const std::string& request) {
  return request.substr(0, request.find("\r\n"));
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_clients_of_broken_servers)

TROUPE_TEST_CASE(what_is_no_response_is_refused) {
  const std::string flood = [] {
    std::string all = "HTTP/1.1 200 OK\r\n";
    for (int i = 0; i < 10'000; ++i)
      all += "X-" + std::to_string(i) + ": y\r\n";
    return all + "\r\n";
  }();
  const std::vector<std::string> bad{
    "SSH-2.0-OpenSSH_9.2\r\n",
    "\x16\x03\x01\x02" + std::string(20, '\2'),
    "HTTP/2.0 200 OK\r\n\r\n",
    "HTTP/1.1 99 Low\r\n\r\n",
    "HTTP/1.1 099 Low\r\n\r\n",
    "HTTP/1.1 2000 High\r\n\r\n",
    "HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
    "HTTP/1.1 200 OK\r\nSpace : before\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\nb\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\x01z\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello!",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: "
    "chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n",
    std::string(100'000, 'x'),
    flood};
  for (const std::string& text : bad) {
    const std::string what = co_await outcome_of(text);
    BOOST_TEST(what.starts_with("GET http://a.example/: what has come is no response: "),
               text.substr(0, 100) << " gave " << what);
  }
}

TROUPE_TEST_CASE(a_body_that_is_not_in_chunks_as_promised_is_refused) {
  for (const char* chunks : {"x\r\n", "5\r\nhello!\r\n0\r\n\r\n", "5;\x01\r\nhello\r\n0\r\n\r\n",
                             "ffffffffffffffffff\r\nhello"}) {
    const std::string what = co_await outcome_of(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(chunks));
    BOOST_TEST(what.starts_with("GET http://a.example/: the body of the response: "),
               chunks << " gave " << what);
  }
  const std::string endless = co_await outcome_of(
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;" + std::string(200'000, 'x'));
  BOOST_TEST(endless.find("longer than") != std::string::npos, endless);
}

TROUPE_TEST_CASE(a_connection_that_ends_too_early_is_an_error_that_says_so) {
  BOOST_TEST(co_await outcome_of("")
             == "GET http://a.example/: the connection has ended before the response's head was "
                "complete");
  BOOST_TEST(co_await outcome_of("HTTP/1.1 200 O")
             == "GET http://a.example/: the connection has ended before the response's head was "
                "complete");
  BOOST_TEST(co_await outcome_of("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
             == "GET http://a.example/: the connection has ended after 5 of 10 bytes of the "
                "response's body");
  BOOST_TEST(co_await outcome_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello")
             == "GET http://a.example/: the connection has ended after 5 bytes of the response's "
                "body");
  BOOST_TEST(co_await outcome_of("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", true)
             == "cannot read from the server: Connection reset by peer");
  BOOST_TEST(co_await outcome_of("", true)
             == "cannot read from the server: Connection reset by peer");
}

TROUPE_TEST_CASE(what_reading_throws_it_throws_again) {
  co_await with_server(says("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"),
                       [](fake_server&, client_session& session) -> task<> {
                         auto answer = co_await session.get("http://a.example/");
                         for (int i = 0; i < 3; ++i)
                           BOOST_CHECK_THROW(co_await answer.text(), incomplete_response);
                       });
}

TROUPE_TEST_CASE(a_response_that_nobody_has_asked_for_is_nobodys) {
  // a second response behind the first, as one that was smuggled in would come
  co_await with_server(
    [](const std::string& request) { return reply(request_line_of(request)) + reply("evil"); },
    [](fake_server& server, client_session& session) -> task<> {
      for (const char* path : {"/1", "/2", "/3"}) {
        auto answer = co_await session.get("http://a.example" + std::string(path));
        BOOST_TEST(co_await answer.text() == "GET " + std::string(path) + " HTTP/1.1");
      }
      BOOST_TEST(server.connections == 3);
    });
  // one that comes while the connection is idle
  co_await with_server(
    [](buffered_reader& in, testing::memory_stream& out, int number) -> task<> {
      static_cast<void>(co_await troupe_test::read_request(in));
      co_await out.write_all(reply(std::to_string(number)));
      co_await sleep_for(10ms);
      co_await out.write_all(reply("evil"));
      static_cast<void>(co_await troupe_test::read_request(in));
    },
    [](fake_server&, client_session& session) -> task<> {
      for (const char* number : {"1", "2", "3"}) {
        auto answer = co_await session.get("http://a.example/");
        BOOST_TEST(co_await answer.text() == number);
        co_await sleep_for(5s);
      }
    });
}

TROUPE_TEST_CASE(a_kept_connection_that_is_dead_is_replaced_if_the_request_may_be_sent_again) {
  // each connection answers two requests, reads a third and goes without an answer
  const fake_server::connection_handler tired = [](buffered_reader& in, testing::memory_stream& out,
                                                   int) -> task<> {
    for (int i = 0; i < 3; ++i) {
      const auto request = co_await troupe_test::read_request(in);
      if (request && i < 2)
        co_await out.write_all(reply(""));
    }
  };
  for (const std::string method : {"GET", "HEAD", "PUT", "DELETE"})
    co_await with_server(tired, [&](fake_server& server, client_session& session) -> task<> {
      for (int i = 0; i < 3; ++i) {
        client_request what(method, "http://a.example/");
        what.body = method == "PUT" ? upload("again") : upload();
        const auto answer = co_await session.request(std::move(what));
        BOOST_TEST(answer.status() == 200);
      }
      BOOST_TEST(session.statistics().sent_again == 1u);
      BOOST_TEST(server.connections == 2);
    });
  co_await with_server(tired, [&](fake_server& server, client_session& session) -> task<> {
    for (int i = 0; i < 2; ++i)
      static_cast<void>(co_await session.post("http://a.example/", "once", "text/plain"));
    BOOST_CHECK_THROW(co_await session.post("http://a.example/", "once", "text/plain"),
                      incomplete_response);
    BOOST_TEST(session.statistics().sent_again == 0u);
    BOOST_TEST(server.connections == 1);
  });
}

TROUPE_TEST_CASE(a_new_connection_that_dies_is_not_tried_again) {
  co_await with_server(says(""), [](fake_server& server, client_session& session) -> task<> {
    BOOST_CHECK_THROW(co_await session.get("http://a.example/"), incomplete_response);
    BOOST_TEST(server.connections == 1);
  });
}

TROUPE_TEST_CASE(one_that_the_server_has_closed_while_idle_is_not_used) {
  co_await with_server(
    [](buffered_reader& in, testing::memory_stream& out, int) -> task<> {
      static_cast<void>(co_await troupe_test::read_request(in));
      co_await out.write_all(reply("x"));
      co_await sleep_for(2s);
    },
    [](fake_server& server, client_session& session) -> task<> {
      for (int i = 0; i < 3; ++i) {
        auto answer = co_await session.post("http://a.example/", "once", "text/plain");
        BOOST_TEST(co_await answer.text() == "x");
        co_await sleep_for(3s);
      }
      BOOST_TEST(server.connections == 3);
      BOOST_TEST(session.statistics().sent_again == 0u);
    });
}

TROUPE_TEST_CASE(a_server_that_cannot_be_reached_is_a_net_error) {
  co_await with_server(
    says(""),
    [](fake_server&, client_session& session) -> task<> {
      BOOST_CHECK_THROW(co_await session.get("http://a.example/"), connection_refused);
      BOOST_TEST(session.statistics().connections == 0u);
    },
    [](client_options& o) {
      o.connect = [](const url& where) -> task<std::unique_ptr<stream>> {
        throw connection_refused(std::make_error_code(std::errc::connection_refused), "connect to",
                                 where.authority());
        co_return nullptr;
      };
    });
}

BOOST_AUTO_TEST_CASE(p17_cut_off_at_any_checkpoint_a_request_leaves_nothing_behind) {
  const auto scenario = []() -> task<> {
    co_await with_server(
      [](const std::string& request) {
        if (request.starts_with("GET /from"))
          return troupe_test::redirect_to("/to");
        return reply(std::string(50'000, 'x'), "200 OK", "Set-Cookie: a=b\r\n");
      },
      [](fake_server&, client_session& session) -> task<> {
        co_await with_nursery([&](nursery& n) -> task<> {
          for (int i = 0; i < 2; ++i)
            n.start_soon([&]() -> task<> {
              auto answer = co_await session.get("http://a.example/from");
              BOOST_TEST((co_await answer.text()).size() == 50'000u);
              upload body(std::string(40'000, 'y'));
              auto other = co_await session.put("http://a.example/", std::move(body), "x/y");
              BOOST_TEST(other.status() == 200);
            });
          co_return;
        });
      },
      [](client_options& o) { o.limit = 1; });
  };
  BOOST_TEST(testing::for_each_checkpoint(scenario, [](const testing::injection&) {}) > 20u);
}

TROUPE_TEST_CASE(p17_cancelled_at_any_time_a_request_gives_its_connection_back) {
  co_await with_server(
    [](buffered_reader& in, testing::memory_stream& out, int) -> task<> {
      for (;;) {
        const auto request = co_await troupe_test::read_request(in);
        if (!request)
          co_return;
        for (const std::string_view part : {"HTTP/1.1 200", " OK\r\nTransfer-Encoding: chunked\r\n",
                                            "\r\n", "5\r\nhel", "lo\r\n", "0\r", "\n\r\n"}) {
          co_await sleep_for(1ms);
          co_await out.write_all(part);
        }
      }
    },
    [](fake_server& server, client_session& session) -> task<> {
      int done = 0;
      for (auto limit = 0us; limit < 10ms; limit += 200us) {
        const bool ended =
          co_await move_on_after(limit, [&]() -> task<> { co_await read(session); });
        done += ended ? 1 : 0;
        BOOST_TEST(session.statistics().connections == (ended ? 1u : 0u));
        BOOST_TEST(session.statistics().idle == (ended ? 1u : 0u));
        co_await sleep_for(1ms);
        BOOST_TEST(server.open == (ended ? 1 : 0));
      }
      BOOST_TEST(done > 5);
      BOOST_TEST(done < 45);
    },
    [](client_options& o) { o.limit = 1; });
}

BOOST_AUTO_TEST_SUITE_END()
