// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/http/url.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

using namespace troupe;
using http::url;

BOOST_AUTO_TEST_SUITE(http_urls)

BOOST_AUTO_TEST_CASE(parts_of_a_url_are_found) {
  const url u =
    url::parse("HTTPS://me:pass%40word@Example.ORG:8443/a%20b/../c d?x=1&y=\xc3\xbc#end");
  BOOST_TEST(u.scheme == "https");
  BOOST_TEST(u.user == "me");
  BOOST_TEST(u.password == "pass@word");
  BOOST_TEST(u.host == "example.org");
  BOOST_TEST(u.port == 8443U);
  BOOST_TEST(u.path == "/c%20d");
  BOOST_TEST(u.query == "x=1&y=%C3%BC");
  BOOST_TEST(u.fragment == "end");
  BOOST_TEST(u.authority() == "example.org:8443");
  BOOST_TEST(u.text() == "https://example.org:8443/c%20d?x=1&y=%C3%BC#end");
  BOOST_TEST(u.secure());
  const url plain = url::parse("http://[::1]?q");
  BOOST_TEST(plain.host == "::1");
  BOOST_TEST(plain.port == 80U);
  BOOST_TEST(plain.target() == "/?q");
  BOOST_TEST(plain.authority() == "[::1]");
}

BOOST_AUTO_TEST_CASE(what_is_no_url_says_why) {
  for (const char* text : {"", "localhost", "/a", "ftp://a/", "http://", "http:///a", "http://a:0/",
                           "http://a:65536/", "http://a:x/", "http://[::1/", "http://[::1]x/",
                           "http://[xyz]/", "http://a b/", "http://%zz/"})
    BOOST_CHECK_THROW(static_cast<void>(url::parse(text)), http::url_error);
  try {
    static_cast<void>(url::parse("http://me:secret@h:x/"));
  } catch (const http::url_error& e) {
    BOOST_TEST(
      e.what()
      == std::string("'http://...@h:x/' is no URL to use: the port is no number up to 65535"));
  }
}

BOOST_AUTO_TEST_CASE(references_are_resolved) {
  const url base = url::parse("http://me:pw@a/b/c/d?q");
  const auto to = [&](const char* reference) { return base.resolve(reference).text(); };
  BOOST_TEST(to("g") == "http://a/b/c/g");
  BOOST_TEST(to("./g/") == "http://a/b/c/g/");
  BOOST_TEST(to("/g") == "http://a/g");
  BOOST_TEST(to("//g") == "http://g/");
  BOOST_TEST(to("?y") == "http://a/b/c/d?y");
  BOOST_TEST(to("g?y#s") == "http://a/b/c/g?y#s");
  BOOST_TEST(to("#s") == "http://a/b/c/d?q#s");
  BOOST_TEST(to("..") == "http://a/b/");
  BOOST_TEST(to("../../../g") == "http://a/g");
  BOOST_TEST(to("https://x:1/") == "https://x:1/");
  BOOST_TEST(base.resolve("http://a/").user == "me");
  BOOST_TEST(base.resolve("//a/").password == "pw");
  BOOST_TEST(base.resolve("http://b/").user.empty());
  BOOST_TEST(base.resolve("https://a/").password.empty());
}

BOOST_AUTO_TEST_CASE(queries_are_decoded_and_encoded) {
  const auto q = http::query_parameters::parse("a=1&b=x+y%26&a=2&c&&=d");
  BOOST_TEST(q.size() == 5U);
  BOOST_TEST(q.get("b", "") == "x y&");
  BOOST_TEST(q.get("c").has_value());
  BOOST_TEST(!q.get("e").has_value());
  BOOST_TEST(q.all("a").size() == 2U);
  BOOST_TEST(q.text() == "a=1&b=x%20y%26&a=2&c=&=d");
  BOOST_CHECK_THROW(static_cast<void>(http::query_parameters::parse("a=%4")), http::url_error);
}

BOOST_AUTO_TEST_CASE(percent_signs_are_read_and_written) {
  BOOST_TEST(http::percent_decode("%41b%2f+") == "Ab/+");
  for (const char* text : {"%", "%4", "%zz", "%4z"})
    BOOST_CHECK_THROW(static_cast<void>(http::percent_decode(text)), http::url_error);
  BOOST_TEST(http::percent_encode("a/b c~", "/") == "a/b%20c~");
}

BOOST_AUTO_TEST_CASE(targets_of_requests_are_split) {
  const auto path = [](const char* t) { return http::split_target(t).path; };
  BOOST_TEST(path("/a?b=c") == "/a");
  BOOST_TEST(http::split_target("/a?b=c?d").query == "b=c?d");
  BOOST_TEST(path("http://host/x?y") == "/x");
  BOOST_TEST(path("http://host") == "/");
  BOOST_TEST(path("http://host?y") == "/");
  BOOST_TEST(path("*") == "*");
  BOOST_TEST(path("/a://b") == "/a://b");
}

BOOST_AUTO_TEST_SUITE_END()
