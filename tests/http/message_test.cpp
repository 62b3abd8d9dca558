// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/http/message.hpp>

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>

using namespace troupe;

BOOST_AUTO_TEST_SUITE(http_messages)

BOOST_AUTO_TEST_CASE(heads_are_written_as_they_are_sent) {
  std::string text;
  http::append_head(text, http::request_head{.target = "/a?b", .headers = {{"Host", "x"}}});
  http::append_head(text, http::response_head{.status = 404});
  http::append_head(text, http::response_head{.status = 299, .reason = "Fine", .minor_version = 0});
  BOOST_TEST(text
             == "GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n"
                "HTTP/1.1 404 Not Found\r\n\r\n"
                "HTTP/1.0 299 Fine\r\n\r\n");
}

BOOST_AUTO_TEST_CASE(what_would_break_a_head_is_refused) {
  std::string text;
  for (const char* target : {"", "/a b", "/\r\n", "/\n"})
    BOOST_CHECK_THROW(http::append_head(text, http::request_head{.target = target}),
                      std::invalid_argument);
  BOOST_CHECK_THROW(http::append_head(text, http::request_head{.method = "GET /"}),
                    std::invalid_argument);
  BOOST_CHECK_THROW(http::append_head(text, http::response_head{.reason = "a\r\nb"}),
                    std::invalid_argument);
  BOOST_CHECK_THROW(http::append_head(text, http::response_head{.status = 99}),
                    std::invalid_argument);
  BOOST_TEST(text.empty());
}

BOOST_AUTO_TEST_CASE(connections_persist_by_version_and_header) {
  http::request_head head;
  BOOST_TEST(head.keep_alive());
  head.headers.add("Connection", "Close");
  BOOST_TEST(!head.keep_alive());
  head.minor_version = 0;
  BOOST_TEST(!head.keep_alive());
  head.headers.set("Connection", "keep-alive");
  BOOST_TEST(head.keep_alive());
}

BOOST_AUTO_TEST_CASE(errors_say_their_status) {
  const http::http_error e(405, "try another", {{"Allow", "GET"}});
  BOOST_TEST(e.what() == std::string("405 Method Not Allowed: try another"));
  BOOST_TEST(e.fields().get("allow", "") == "GET");
  BOOST_TEST(http::message_error(999).what() == std::string("999"));
}

BOOST_AUTO_TEST_SUITE_END()
