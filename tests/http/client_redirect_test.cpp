// SPDX-License-Identifier: BSD-3-Clause
#include "fake_server.hpp"

#include <troupe/http/client_session.hpp>
#include <troupe/testing/boost_test.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

using namespace troupe;
using namespace troupe::http;
using namespace std::chrono_literals;
using troupe_test::fake_server;
using troupe_test::redirect_to;
using troupe_test::reply;
using troupe_test::with_server;

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// "/302/to": redirects so; else it tells what was asked.
std::string redirecting(const std::string& request) {
  const std::size_t at = request.find(" /3");
  if (at != std::string::npos) {
    const std::string status = request.substr(at + 2, 3);
    const std::size_t end = request.find(' ', at + 1);
    return redirect_to(request.substr(at + 5, end - at - 5), status + " Elsewhere");
  }
  return reply(request.substr(0, request.find(' ')));
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_redirects)

TROUPE_TEST_CASE(redirects_are_followed_and_told) {
  co_await with_server(redirecting, [](fake_server& server, client_session& session) -> task<> {
    auto answer = co_await session.get("http://a.example/302/307/301/end?x");
    BOOST_TEST(answer.status() == 200);
    BOOST_TEST(answer.url().text() == "http://a.example/end?x");
    BOOST_REQUIRE(answer.redirects().size() == 3u);
    BOOST_TEST(answer.redirects()[1].text() == "http://a.example/307/301/end?x");
    BOOST_TEST(server.connections == 1);
    BOOST_TEST(session.statistics().redirects == 3u);
  });
}

TROUPE_TEST_CASE(the_method_and_the_body_stay_or_go_as_the_status_says) {
  co_await with_server(redirecting, [](fake_server& server, client_session& session) -> task<> {
    const auto ends_as = [&](std::string method, std::string status) -> task<std::string> {
      client_request what(method, "http://a.example/" + status + "/end");
      if (method != "GET" && method != "HEAD")
        what.body = "text";
      what.headers.set("Content-Type", "text/plain");
      auto answer = co_await session.request(std::move(what));
      const std::string last = server.requests.back();
      BOOST_TEST(has(last, "\r\n\r\ntext") == has(last, "Content-Length: 4"));
      co_return last.substr(0, last.find(' ')) + (has(last, "\r\n\r\ntext") ? "+" : "");
    };
    for (const char* status : {"301", "302", "303"}) {
      BOOST_TEST(co_await ends_as("POST", status) == "GET");
      BOOST_TEST(!has(server.requests.back(), "Content-Type"));
      BOOST_TEST(co_await ends_as("HEAD", status) == "HEAD");
    }
    BOOST_TEST(co_await ends_as("PUT", "301") == "PUT+");
    BOOST_TEST(co_await ends_as("PUT", "303") == "GET");
    for (const char* status : {"307", "308"}) {
      BOOST_TEST(co_await ends_as("POST", status) == "POST+");
      BOOST_TEST(has(server.requests.back(), "Content-Type"));
    }
  });
}

TROUPE_TEST_CASE(a_body_that_cannot_be_sent_again_is_not) {
  co_await with_server(
    [](buffered_reader& in, testing::memory_stream& out, int) -> task<> {
      static_cast<void>(co_await in.read_until("0\r\n\r\n"));
      co_await out.write_all(redirect_to("/x", "307 Elsewhere"));
    },
    [](fake_server&, client_session& session) -> task<> {
      auto parts = []() -> async_generator<std::string> { co_yield std::string("once"); };
      const auto answer = co_await session.post("http://a.example/", upload(parts()), "x/y");
      BOOST_TEST(answer.status() == 307);
    });
}

TROUPE_TEST_CASE(there_is_an_end_to_redirects) {
  co_await with_server(
    [](const std::string&) { return redirect_to("/again"); },
    [](fake_server& server, client_session& session) -> task<> {
      BOOST_CHECK_EXCEPTION(
        co_await session.get("http://a.example/"), redirect_error, [](const redirect_error& e) {
          return e.what() == std::string("GET http://a.example/again: more than 10 redirects");
        });
      BOOST_TEST(server.requests.size() == 11u);
      client_request once("GET", "http://a.example/");
      once.max_redirects = 0;
      const auto answer = co_await session.request(std::move(once));
      BOOST_TEST(answer.status() == 302);
    });
}

TROUPE_TEST_CASE(secrets_stay_with_the_origin_they_were_given_for) {
  co_await with_server(redirecting, [](fake_server& server, client_session& session) -> task<> {
    for (const char* elsewhere : {"http://b.example/", "http://a.example:81/", "//b.example/"}) {
      client_request what("GET", "http://a.example/302" + std::string(elsewhere));
      what.url.path = "/302" + std::string(elsewhere);
      what.basic_auth("me", "secret");
      what.headers.set("Cookie", "a=b");
      what.headers.set("X-Other", "stays");
      const auto answer = co_await session.request(std::move(what));
      BOOST_TEST(answer.status() == 200);
      BOOST_TEST(has(server.requests.at(server.requests.size() - 2), "Authorization"));
      BOOST_TEST(!has(server.requests.back(), "Authorization"));
      BOOST_TEST(!has(server.requests.back(), "Cookie"));
      BOOST_TEST(has(server.requests.back(), "X-Other: stays"));
    }
    client_request what("GET", "http://a.example/302/here");
    what.basic_auth("me", "secret");
    static_cast<void>(co_await session.request(std::move(what)));
    BOOST_TEST(has(server.requests.back(), "GET /here "));
    BOOST_TEST(has(server.requests.back(), "Authorization"));
    // what a server puts into a URL is not believed
    what = client_request("GET", "http://a.example/");
    what.url.path = "/302http://evil:secret@b.example/";
    static_cast<void>(co_await session.request(std::move(what)));
    BOOST_TEST(!has(server.requests.back(), "Authorization"));
  });
}

TROUPE_TEST_CASE(a_redirect_to_what_is_no_http_is_refused) {
  std::string where;
  co_await with_server(
    [&](const std::string&) { return redirect_to(where); },
    [&](fake_server&, client_session& session) -> task<> {
      for (const char* bad : {"ftp://a.example/", "ws://a.example/", "file:///etc/passwd",
                              "javascript:alert(1)", "http://", "http://a b/"}) {
        where = bad;
        BOOST_CHECK_THROW(co_await session.get("http://a.example/"), redirect_error);
      }
      BOOST_TEST(session.statistics().idle == session.statistics().connections);
    });
}

TROUPE_TEST_CASE(a_long_body_of_a_redirect_is_not_read) {
  co_await with_server(
    [](const std::string& request) {
      if (has(request, "GET /end"))
        return reply("end");
      return reply(std::string(1'000'000, 'x'), "302 Found", "Location: /end\r\n");
    },
    [](fake_server& server, client_session& session) -> task<> {
      auto answer = co_await session.get("http://a.example/");
      BOOST_TEST(co_await answer.text() == "end");
      BOOST_TEST(server.connections == 2);
    });
}

TROUPE_TEST_CASE(a_body_of_a_redirect_that_does_not_end_is_given_up) {
  for (const char* length :
       {"Transfer-Encoding: chunked\r\n\r\n5\r\nfirst", "Content-Length: 10\r\n\r\nfirst"})
    co_await with_server(
      [length](buffered_reader& in, testing::memory_stream& out, int number) -> task<> {
        const auto request = co_await troupe_test::read_request(in);
        BOOST_TEST(request.has_value());
        if (number == 2)
          co_return co_await out.write_all(reply("end"));
        co_await out.write_all("HTTP/1.1 302 Found\r\nLocation: /end\r\n" + std::string(length));
        const auto more = co_await troupe_test::read_request(in);
        BOOST_TEST(!more); // the client has closed it
      },
      [](fake_server& server, client_session& session) -> task<> {
        const auto begin = current_time();
        auto answer = co_await session.get("http://a.example/");
        BOOST_TEST(co_await answer.text() == "end");
        BOOST_TEST((current_time() - begin < 2s));
        BOOST_TEST(server.connections == 2);
      });
}

BOOST_AUTO_TEST_SUITE_END()
