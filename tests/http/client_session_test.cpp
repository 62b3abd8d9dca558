// SPDX-License-Identifier: BSD-3-Clause
#include "fake_server.hpp"

#include <troupe/http/client_session.hpp>
#include <troupe/testing/boost_test.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <string>
#include <type_traits>
#include <vector>

using namespace troupe;
using namespace troupe::http;
using namespace std::chrono_literals;
using troupe_test::fake_server;
using troupe_test::reply;
using troupe_test::says;
using troupe_test::with_server;

static_assert(!std::is_copy_constructible_v<client_session>);
static_assert(!std::is_copy_constructible_v<client_response>);
static_assert(std::is_nothrow_move_constructible_v<client_response>);

namespace {

std::string hello(const std::string&) { return reply("hello"); }

} // namespace

BOOST_AUTO_TEST_SUITE(http_clients)

TROUPE_TEST_CASE(a_request_is_asked_and_answered) {
  co_await with_server(
    [](const std::string&) {
      return reply("hello", "200 Fine", "Content-Type: text/plain\r\nX-Two: a\r\n");
    },
    [](fake_server& server, client_session& session) -> task<> {
      auto answer = co_await session.get("http://shop.example:8080/a%20b?c=d#e");
      BOOST_TEST(answer.status() == 200);
      BOOST_TEST(answer.ok());
      BOOST_TEST(answer.reason() == "Fine");
      BOOST_TEST(answer.headers().get("content-type", "") == "text/plain");
      BOOST_TEST(answer.content_length().value() == 5u);
      BOOST_TEST(co_await answer.text() == "hello");
      BOOST_TEST(answer.finished());
      BOOST_TEST(co_await answer.text() == "");
      BOOST_TEST(server.requests.at(0)
                 == "GET /a%20b?c=d HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: troupe\r\n"
                    "Accept: */*\r\n\r\n");
      BOOST_TEST(server.hosts.at(0) == "http://shop.example:8080");
    });
}

TROUPE_TEST_CASE(headers_are_the_requests_then_the_sessions) {
  co_await with_server(
    hello,
    [](fake_server& server, client_session& session) -> task<> {
      client_request what("PATCH", "http://a.example/");
      what.headers.set("X-One", "mine");
      what.headers.set("accept", "text/html");
      what.basic_auth("Aladdin", "open sesame");
      auto answer = co_await session.request(std::move(what));
      BOOST_TEST(server.requests.at(0)
                 == "PATCH / HTTP/1.1\r\nHost: a.example\r\nX-One: mine\r\naccept: text/html\r\n"
                    "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\nX-Two: theirs\r\n"
                    "Content-Length: 0\r\n\r\n");
      auto again = co_await session.get("http://me:my%20secret@a.example/");
      BOOST_TEST(server.requests.at(1).find("Authorization: Basic "
                                            + basic_credentials("me", "my secret").substr(6))
                 != std::string::npos);
      BOOST_TEST(again.url().text().find("secret") == std::string::npos);
    },
    [](client_options& o) {
      o.headers.set("X-One", "theirs");
      o.headers.set("X-Two", "theirs");
      o.user_agent.clear();
    });
}

TROUPE_TEST_CASE(what_cannot_be_asked_is_refused_before_anything_is_sent) {
  co_await with_server(hello, [](fake_server& server, client_session& session) -> task<> {
    BOOST_CHECK_THROW(co_await session.get("ftp://a.example/"), url_error);
    BOOST_CHECK_THROW(co_await session.get("no url at all"), url_error);
    BOOST_CHECK_THROW(client_request("GE T", "http://a.example/"), std::invalid_argument);
    BOOST_CHECK_THROW(basic_credentials("a:b", "c"), std::invalid_argument);
    client_request split("GET", "http://a.example/");
    BOOST_CHECK_THROW(split.headers.set("X", "a\r\nSet-Cookie: b=c"), std::invalid_argument);
    for (const char* name : {"Content-Length", "Transfer-Encoding", "Upgrade"}) {
      client_request smuggles("GET", "http://a.example/");
      smuggles.headers.set(name, "17");
      BOOST_CHECK_THROW(co_await session.request(std::move(smuggles)), std::invalid_argument);
    }
    BOOST_TEST(server.requests.empty());
    BOOST_TEST(session.statistics().connections <= 1u);
  });
}

TROUPE_TEST_CASE(a_connection_is_kept_and_used_again) {
  co_await with_server(hello, [](fake_server& server, client_session& session) -> task<> {
    for (int i = 0; i < 10; ++i) {
      auto answer = co_await session.get("http://a.example/");
      BOOST_TEST(co_await answer.text() == "hello");
      BOOST_TEST(session.statistics().idle == 1u); // at once, though the response is still here
    }
    BOOST_TEST(server.connections == 1);
    BOOST_TEST(session.statistics().requests == 10u);
    BOOST_TEST(session.statistics().reused == 9u);
    BOOST_TEST(session.statistics().opened == 1u);
    { // a body that nobody reads, but that is there
      auto unread = co_await session.get("http://a.example/");
    }
    auto other = co_await session.get("http://a.example:81/");
    BOOST_TEST(server.connections == 2);
    co_await sleep_for(1min);
    BOOST_TEST(session.statistics().connections == 1u); // the other is lent
    BOOST_TEST(server.open == 1);
  });
}

TROUPE_TEST_CASE(a_connection_whose_response_was_left_is_closed) {
  co_await with_server(says("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"),
                       [](fake_server&, client_session& session) -> task<> {
                         {
                           auto answer = co_await session.get("http://a.example/");
                           BOOST_TEST(!answer.finished());
                         }
                         BOOST_TEST(session.statistics().connections == 0u);
                       });
}

TROUPE_TEST_CASE(a_server_that_says_close_is_heard) {
  for (const std::string& text :
       {reply("hello", "200 OK", "Connection: close\r\n"),
        std::string("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        std::string("HTTP/1.1 200 OK\r\nConnection: keep-alive, Close\r\n\r\nhello")})
    co_await with_server([&](const std::string&) { return text; },
                         [](fake_server&, client_session& session) -> task<> {
                           auto answer = co_await session.get("http://a.example/");
                           if (answer.content_length())
                             BOOST_TEST(co_await answer.text() == "hello");
                           BOOST_TEST(session.statistics().idle == 0u);
                         });
  co_await with_server(hello, [](fake_server&, client_session& session) -> task<> {
    client_request last("GET", "http://a.example/");
    last.headers.set("Connection", "close");
    auto answer = co_await session.request(std::move(last));
    BOOST_TEST(co_await answer.text() == "hello");
    BOOST_TEST(session.statistics().connections == 0u);
  });
}

TROUPE_TEST_CASE(a_body_ends_by_its_length_by_its_chunks_or_with_the_connection) {
  const std::vector<std::string> heads{"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
                                       "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
                                       "chunked\r\n\r\n5;x=\"y\"\r\nhello\r\n6\r\n world\r\n0\r\n"
                                       "Trailer: x\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\n\r\nhello world"};
  for (const std::size_t piece : {1U, 3U, 1000U})
    for (const auto& text : heads)
      co_await with_server(says(text), [&](fake_server& server, client_session& session) -> task<> {
        server.streams.capacity = piece;
        auto answer = co_await session.get("http://a.example/");
        std::string all;
        std::array<std::byte, 4> some{};
        for (std::size_t n = 0; (n = co_await answer.read_some(some)) != 0;)
          all.append(reinterpret_cast<const char*>(some.data()), n);
        BOOST_TEST(all == "hello world");
        BOOST_TEST(answer.headers().contains("Trailer") == false);
        BOOST_TEST(session.statistics().connections == (text == heads[2] ? 0u : 1u));
      });
}

TROUPE_TEST_CASE(some_responses_have_no_body_whatever_they_say) {
  co_await with_server(
    [](const std::string& request) -> std::string {
      if (request.starts_with("HEAD"))
        return "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
      if (request.starts_with("GET /204"))
        return "HTTP/1.1 204 No Content\r\n\r\n";
      return "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n";
    },
    [](fake_server& server, client_session& session) -> task<> {
      auto head = co_await session.head("http://a.example/");
      BOOST_TEST(head.finished());
      BOOST_TEST(head.content_length().value() == 1000u);
      BOOST_TEST(co_await head.text() == "");
      BOOST_TEST((co_await session.get("http://a.example/204")).finished());
      BOOST_TEST((co_await session.get("http://a.example/304")).status() == 304);
      BOOST_TEST(server.connections == 1);
    });
}

TROUPE_TEST_CASE(interim_responses_are_skipped) {
  co_await with_server(
    [](const std::string&) {
      return "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
             + reply("hello");
    },
    [](fake_server&, client_session& session) -> task<> {
      auto answer = co_await session.get("http://a.example/");
      BOOST_TEST(answer.status() == 200);
      BOOST_TEST(!answer.headers().contains("Link"));
      BOOST_TEST(co_await answer.text() == "hello");
      BOOST_TEST(session.statistics().idle == 1u);
    });
}

TROUPE_TEST_CASE(p17_there_are_no_more_connections_than_allowed_and_requests_wait) {
  for (const bool per_host : {false, true})
    co_await with_server(
      [](buffered_reader& in, testing::memory_stream& out, int) -> task<> {
        for (;;) {
          const auto request = co_await troupe_test::read_request(in);
          if (!request)
            co_return;
          co_await sleep_for(100ms);
          co_await out.write_all(reply("x"));
        }
      },
      [&](fake_server& server, client_session& session) -> task<> {
        co_await with_nursery([&](nursery& n) -> task<> {
          for (int i = 0; i < 20; ++i)
            n.start_soon(
              [&session](std::string url) -> task<> {
                auto answer = co_await session.get(url);
                BOOST_TEST(co_await answer.text() == "x");
              },
              "http://host" + std::to_string(i % 2) + ".example/");
          co_return;
        });
        BOOST_TEST(server.most_open == 6);
        if (per_host) // else an idle one of the other host gives way
          BOOST_TEST(session.statistics().opened == 6u);
        BOOST_TEST(session.statistics().connections <= 6u);
      },
      [&](client_options& o) {
        o.limit = per_host ? 100 : 6;
        o.limit_per_host = per_host ? 3 : 0;
      });
}

TROUPE_TEST_CASE(a_session_can_come_to_know_many_hosts) {
  co_await with_server(
    hello,
    [](fake_server& server, client_session& session) -> task<> {
      for (int i = 0; i < 300; ++i) {
        auto answer = co_await session.get("http://host" + std::to_string(i) + ".example/");
        BOOST_TEST(co_await answer.text() == "hello");
        co_await sleep_for(1s);
      }
      BOOST_TEST(server.connections == 300);
      BOOST_TEST(server.most_open <= 10);
    },
    [](client_options& o) { o.limit = 10; });
}

TROUPE_TEST_CASE(check_throws_what_the_server_has_said) {
  co_await with_server(
    [](const std::string&) { return reply("", "404 Gone Fishing"); },
    [](fake_server&, client_session& session) -> task<> {
      const auto answer = co_await session.get("http://a.example/x");
      BOOST_CHECK_EXCEPTION(answer.check(), status_error, [](const status_error& e) {
        return e.status() == 404
               && e.what() == std::string("GET http://a.example/x: 404 Gone Fishing");
      });
    });
}

TROUPE_TEST_CASE(a_response_that_outlives_its_session_says_so) {
  std::optional<client_response> left;
  co_await with_server(says("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"),
                       [&](fake_server&, client_session& session) -> task<> {
                         left.emplace(co_await session.get("http://a.example/"));
                       });
  BOOST_TEST(left->status() == 200);
  BOOST_CHECK_THROW(co_await left->text(), usage_error);
}

TROUPE_TEST_CASE(the_value_of_the_body_comes_out) {
  const int answer =
    co_await with_client_session([](client_session&) -> task<int> { co_return 42; });
  BOOST_TEST(answer == 42);
}

BOOST_AUTO_TEST_SUITE_END()
