// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/http/headers.hpp>

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>

using namespace troupe;
using namespace std::string_literals;

BOOST_AUTO_TEST_SUITE(http_headers)

BOOST_AUTO_TEST_CASE(names_have_no_case_and_keep_their_order) {
  http::headers h{{"Host", "a"}, {"Set-Cookie", "x=1"}};
  h.add("set-cookie", " y=2\t");
  BOOST_TEST(h.size() == 3U);
  BOOST_TEST(h.get("HOST", "") == "a");
  BOOST_TEST(!h.get("Accept").has_value());
  BOOST_TEST(h.get("Accept", "*/*") == "*/*");
  const auto all = h.all("Set-Cookie");
  BOOST_REQUIRE(all.size() == 2U);
  BOOST_TEST(all[1] == "y=2");
  std::string text;
  h.append_to(text);
  BOOST_TEST(text == "Host: a\r\nSet-Cookie: x=1\r\nset-cookie: y=2\r\n");
}

BOOST_AUTO_TEST_CASE(setting_replaces_all_and_removing_counts) {
  http::headers h{{"A", "1"}, {"B", "2"}, {"a", "3"}, {"C", "4"}};
  h.set("a", h.get("C", ""));
  h.set("Content-Length", std::uint64_t{18446744073709551615U});
  std::string text;
  h.append_to(text);
  BOOST_TEST(text == "B: 2\r\nC: 4\r\na: 4\r\nContent-Length: 18446744073709551615\r\n");
  BOOST_TEST(h.remove("b") == 1U);
  BOOST_TEST(h.remove("b") == 0U);
  BOOST_TEST(h.get("c", "") == "4");
  h.clear();
  BOOST_TEST(h.empty());
}

BOOST_AUTO_TEST_CASE(lists_are_looked_into) {
  const http::headers h{{"Connection", "keep-alive , Upgrade"}, {"connection", ",x"}};
  BOOST_TEST(h.has_token("Connection", "upgrade"));
  BOOST_TEST(h.has_token("Connection", "X"));
  BOOST_TEST(!h.has_token("Connection", "keep"));
}

BOOST_AUTO_TEST_CASE(nobody_writes_another_header_into_one) {
  http::headers h;
  for (const std::string& name : {""s, "a b"s, "a:"s, "a\r\nb"s, "\xc3\xbc"s, "a\0"s})
    BOOST_CHECK_THROW(h.add(name, "x"), std::invalid_argument);
  for (const std::string& value : {"a\r\nb: c"s, "a\nb"s, "a\rb"s, "a\0b"s, "\x7f"s}) {
    BOOST_CHECK_THROW(h.add("a", value), std::invalid_argument);
    BOOST_CHECK_THROW(h.set("a", value), std::invalid_argument);
  }
  BOOST_TEST(h.empty());
  h.add("a", "tab\there, \xc3\xbc");
  BOOST_TEST(h.get("a", "") == "tab\there, \xc3\xbc");
}

BOOST_AUTO_TEST_SUITE_END()
