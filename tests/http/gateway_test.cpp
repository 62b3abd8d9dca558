// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/http/gateway.hpp>
#include <troupe/http/router.hpp>

#include "served.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using troupe_test::body_of;
using troupe_test::first_line;
using troupe_test::served;

namespace {

std::string ask(http::application app, const std::string& text, std::string place = {}) {
  http::gateway_options options;
  options.script_name = place;
  http::router routes;
  routes.add("*", place + "/{path...}", http::gateway(std::move(app), options));
  served s(routes);
  return s.talk(text);
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_gateway)

BOOST_AUTO_TEST_CASE(application_is_called_on_a_thread_with_its_variables) {
  const auto loop = std::this_thread::get_id();
  const auto app = [&](http::gateway_environ& env, const http::start_response& start) {
    BOOST_TEST((std::this_thread::get_id() != loop));
    std::vector<std::string> lines;
    for (const auto& [name, value] : env.variables)
      lines.push_back(name + "=" + value + "\n");
    start("203 Fine", {{"Content-Type", "text/x"}});
    return http::gateway_body(lines);
  };
  const std::string got = ask(app,
                              "GET /app/a%20b/?c=d HTTP/1.1\r\nHost: h\r\nX-Two: 1\r\nx-two: 2\r\n"
                              "Proxy: evil\r\nX_Two: evil\r\nCookie: a=1\r\nCookie: b=2\r\n"
                              "Connection: close\r\n\r\n",
                              "/app");
  BOOST_TEST(first_line(got) == "HTTP/1.1 203 Fine");
  BOOST_TEST(got.find("Transfer-Encoding: chunked") != got.npos);
  for (const char* line :
       {"REQUEST_METHOD=GET\n", "SCRIPT_NAME=/app\n", "PATH_INFO=/a b/\n", "QUERY_STRING=c=d\n",
        "SERVER_PROTOCOL=HTTP/1.1\n", "wsgi.url_scheme=http\n", "HTTP_HOST=h\n",
        "HTTP_X_TWO=1, 2\n", "HTTP_COOKIE=a=1; b=2\n", "REMOTE_ADDR=the client\n"})
    BOOST_TEST(got.find(line) != got.npos, line);
  BOOST_TEST(got.find("evil") == got.npos);
}

BOOST_AUTO_TEST_CASE(body_is_read_from_the_thread) {
  const auto app = [](http::gateway_environ& env, const http::start_response& start) {
    start("200 OK", {});
    const std::string line = env.read_line();
    const std::string four = env.read(4);
    const std::string rest = env.read_all();
    return http::gateway_body(line + "|" + four + "|" + rest + "|" + env.read_line());
  };
  const std::string got =
    ask(app, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
             "3\r\nlin\r\n8\r\ne\nfourre\r\n2\r\nst\r\n0\r\n\r\n");
  BOOST_TEST(got.find("Content-Length: 16\r\n") != got.npos);
  BOOST_TEST(body_of(got) == "line\n|four|rest|");
}

BOOST_AUTO_TEST_CASE(parts_of_lines_are_given_without_waiting_for_more) {
  auto [here, there] = memory_stream_pair();
  std::vector<std::string> seen;
  served s(http::gateway([&](http::gateway_environ& env, const http::start_response& start) {
    start("200 OK", {});
    for (const std::size_t size : {2U, 0U, 3U, 100U})
      seen.push_back(env.read_line(size));
    seen.push_back(env.read_line(3)); // no end of a line is there yet
    seen.push_back(env.read(2));
    seen.push_back(env.read_line(1));
    return http::gateway_body("so far");
  }));
  run_virtually([&, &client = here, &server = there]() -> task<> {
    co_await client.write_all("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n"
                              "a line\nunended");
    co_await move_on_after(
      1s, [&]() -> task<> { co_await http::serve_connection(server, s.answer, s.options); });
  });
  const std::vector<std::string> expected{"a ", "", "lin", "e\n", "une", "nd", "e"};
  BOOST_TEST(seen == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(pieces_are_sent_as_they_come_and_failures_are_the_servers) {
  served s(http::gateway(
    [](http::gateway_environ& env, const http::start_response& start) -> http::gateway_body {
      if (env["PATH_INFO"] == "/throws")
        throw std::runtime_error("broken");
      if (env["PATH_INFO"] == "/silent")
        return "never said how it begins";
      start("200 OK", {{"X", "y"}});
      start("201 Created", {});
      return http::gateway_body::source([i = 0]() mutable -> std::optional<std::string> {
        if (i == 3)
          return std::nullopt;
        return std::to_string(i++);
      });
    }));
  const std::string got =
    s.talk("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /throws HTTP/1.1\r\nHost: h\r\n\r\n"
           "GET /silent HTTP/1.1\r\nHost: h\r\n\r\n");
  BOOST_TEST(first_line(got) == "HTTP/1.1 201 Created");
  BOOST_TEST(got.find("1\r\n0\r\n1\r\n1\r\n1\r\n2\r\n0\r\n\r\nHTTP/1.1 500") != got.npos);
  BOOST_REQUIRE(s.failures.size() == 2U);
  BOOST_TEST(s.failures[0] == "broken");
  BOOST_TEST(s.failures[1] == "the application has not called start_response");
  BOOST_CHECK_THROW(http::gateway({}, {.script_name = "app"}), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(piece_is_sent_before_the_next_one_is_asked_for) {
  auto [here, there] = memory_stream_pair();
  std::string seen;
  served s(
    http::gateway([&, &client = here](http::gateway_environ&,
                                      const http::start_response& start) -> http::gateway_body {
      start("200 OK", {});
      return http::gateway_body::source([&, i = 0]() mutable -> std::optional<std::string> {
        if (i++ == 0)
          return "first";
        from_thread([&]() -> task<> {
          std::array<std::byte, 1000> some; // NOLINT: filled by reading
          while (seen.find("first") == seen.npos) {
            const std::size_t n = co_await client.read_some(some);
            seen.append(reinterpret_cast<const char*>(some.data()), n); // NOLINT: bytes
          }
        });
        return std::nullopt;
      });
    }));
  run_virtually([&, &client = here, &server = there]() -> task<> {
    co_await client.write_all("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    co_await http::serve_connection(server, s.answer, s.options);
  });
  BOOST_TEST(first_line(seen) == "HTTP/1.1 200 OK");
}

BOOST_AUTO_TEST_CASE(cancelled_application_hears_of_it_where_it_waits) {
  bool heard = false;
  served s(http::gateway(
    [&](http::gateway_environ& env, const http::start_response&) -> http::gateway_body {
      try {
        static_cast<void>(env.read_all());
      } catch (const task_cancelled&) {
        heard = true;
        throw;
      }
      return "";
    }));
  run_virtually([&]() -> task<> {
    auto [here, there] = memory_stream_pair();
    co_await here.write_all("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n");
    const bool ended = co_await move_on_after(
      1s, [&]() -> task<> { co_await http::serve_connection(there, s.answer, s.options); });
    BOOST_TEST(!ended);
  });
  BOOST_TEST(heard);
  BOOST_TEST(s.failures.empty());
}

BOOST_AUTO_TEST_SUITE_END()
