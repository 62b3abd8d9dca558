// SPDX-License-Identifier: BSD-3-Clause
#include "site.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace troupe;
using troupe_test::body_of;
using troupe_test::first_line;
using troupe_test::served;
using troupe_test::site;

BOOST_AUTO_TEST_SUITE(http_static_files)

BOOST_AUTO_TEST_CASE(files_are_served_with_what_is_known_of_them) {
  const site s;
  const std::string got = s.ask("a%20b.txt");
  BOOST_TEST(first_line(got) == "HTTP/1.1 200 OK");
  BOOST_TEST(body_of(got) == "0123456789");
  BOOST_TEST(s.header(got, "Content-Type") == "text/plain; charset=utf-8");
  BOOST_TEST(s.header(got, "Content-Length") == "10");
  BOOST_TEST(s.header(got, "Accept-Ranges") == "bytes");
  BOOST_TEST(s.header(got, "Last-Modified").size() == 29U);
  BOOST_TEST(body_of(s.ask("")) == "<p>index");
  BOOST_TEST(body_of(s.ask("deep/er/page.html")) == "deep");
  BOOST_TEST(body_of(s.ask("inside")) == "deep");
  const std::string head = s.ask("a%20b.txt", "", "HEAD");
  BOOST_TEST(s.header(head, "Content-Length") == "10");
  BOOST_TEST(body_of(head).empty());
  BOOST_TEST(s.ask("a%20b.txt", "", "DELETE").substr(9, 3) == "405");
  BOOST_TEST(http::content_type_of("x.tar.GZ") == "application/gzip");
  BOOST_TEST(http::content_type_of("a.b/c") == "application/octet-stream");
}

BOOST_AUTO_TEST_CASE(directories_have_an_index) {
  const site s;
  const std::string got = s.ask("deep?x=y");
  BOOST_TEST(first_line(got) == "HTTP/1.1 301 Moved Permanently");
  BOOST_TEST(s.header(got, "Location") == "/s/deep/?x=y");
  BOOST_TEST(body_of(s.ask("deep/")) == "deep index");
  BOOST_TEST(s.status("bare/") == "404");
}

BOOST_AUTO_TEST_CASE(nothing_outside_is_served) {
  const site s;
  for (const char* path : {"../outside.txt",
                           "%2e%2e/outside.txt",
                           "..%2foutside.txt",
                           "deep/../../outside.txt",
                           "way-out",
                           "far-out",
                           "up/outside.txt",
                           "up/root/index.html",
                           "/etc/passwd",
                           "%2fetc%2fpasswd",
                           "deep//er/page.html",
                           "./index.html",
                           ".hidden",
                           "index.html/",
                           "index.html/x",
                           "nothing",
                           "pipe",
                           "a%00b",
                           "%2e%2e",
                           "..",
                           "a%20b.txt%00.html"})
    BOOST_TEST(s.status(path) == "404", path);
  http::static_options all;
  all.hidden = true;
  http::router app;
  app.get("/s/{path...}", http::static_files(s.root, all));
  served shown(app);
  BOOST_TEST(body_of(shown.talk("GET /s/.hidden HTTP/1.1\r\nHost: a\r\n\r\n")) == "hidden");
  BOOST_CHECK_THROW(http::static_files(s.root / "nothing"), file_not_found);
  BOOST_CHECK_THROW(http::static_files(s.root / "index.html"), not_a_directory);
}

BOOST_AUTO_TEST_CASE(ranges_are_served) {
  const site s;
  const auto range = [&](const std::string& text) {
    const std::string got = s.ask("a%20b.txt", "Range: " + text + "\r\n");
    return got.substr(9, 3) + " " + s.header(got, "Content-Range") + " " + body_of(got);
  };
  BOOST_TEST(range("bytes=2-4") == "206 bytes 2-4/10 234");
  BOOST_TEST(range("bytes=7-") == "206 bytes 7-9/10 789");
  BOOST_TEST(range("bytes=-3") == "206 bytes 7-9/10 789");
  BOOST_TEST(range("bytes=-30") == "206 bytes 0-9/10 0123456789");
  BOOST_TEST(range("bytes=8-99") == "206 bytes 8-9/10 89");
  BOOST_TEST(range("bytes=10-").starts_with("416 bytes */10 "));
  BOOST_TEST(range("bytes=-0").starts_with("416 bytes */10 "));
  for (const char* text : {"bytes=4-2", "bytes=a-b", "bytes=-", "lines=1-2", "bytes=1-2,4-5",
                           "bytes=1", "bytes=99999999999999999999-"})
    BOOST_TEST(range(text) == "200  0123456789", text);
}

BOOST_AUTO_TEST_CASE(what_the_client_has_is_not_sent_again) {
  const site s;
  const std::string got = s.ask("a%20b.txt");
  const std::string tag = s.header(got, "ETag");
  const std::string date = s.header(got, "Last-Modified");
  const std::string old = "Sun, 06 Nov 1994 08:49:37 GMT";
  const auto status = [&](const std::string& more) { return s.status("a%20b.txt", more); };
  BOOST_TEST(status("If-None-Match: " + tag + "\r\n") == "304");
  BOOST_TEST(status("If-None-Match: \"x\", W/" + tag + "\r\n") == "304");
  BOOST_TEST(status("If-None-Match: *\r\n") == "304");
  BOOST_TEST(status("If-None-Match: \"x\"\r\nIf-Modified-Since: " + date + "\r\n") == "200");
  BOOST_TEST(status("If-Modified-Since: " + date + "\r\n") == "304");
  BOOST_TEST(status("If-Modified-Since: " + old + "\r\n") == "200");
  BOOST_TEST(status("If-Modified-Since: yesterday\r\n") == "200");
  BOOST_TEST(status("Range: bytes=0-1\r\nIf-Range: " + tag + "\r\n") == "206");
  BOOST_TEST(status("Range: bytes=0-1\r\nIf-Range: " + date + "\r\n") == "206");
  BOOST_TEST(status("Range: bytes=0-1\r\nIf-Range: \"x\"\r\n") == "200");
  BOOST_TEST(status("Range: bytes=0-1\r\nIf-Range: " + old + "\r\n") == "200");
}

BOOST_AUTO_TEST_CASE(large_files_are_streamed) {
  const site s;
  std::string text(2'000'003, 'x');
  for (std::size_t i = 0; i < text.size(); i += 997)
    text[i] = static_cast<char>('a' + i % 26);
  s.write("large.bin", text);
  const std::string got = s.ask("large.bin");
  BOOST_TEST(s.header(got, "Content-Length") == "2000003");
  BOOST_TEST((body_of(got) == text));
  BOOST_TEST(
    (body_of(s.ask("large.bin", "Range: bytes=1000-1500000\r\n")) == text.substr(1000, 1'499'001)));
}

BOOST_AUTO_TEST_SUITE_END()
