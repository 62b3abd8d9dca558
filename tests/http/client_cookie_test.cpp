// SPDX-License-Identifier: BSD-3-Clause
#include "fake_server.hpp"

#include <troupe/http/client_session.hpp>
#include <troupe/http/cookie_jar.hpp>
#include <troupe/testing/boost_test.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

using namespace troupe;
using namespace troupe::http;
using namespace std::chrono_literals;
using troupe_test::fake_server;
using troupe_test::reply;
using troupe_test::with_server;

namespace {

/// What `jar` sends to `to`.
std::string sent(cookie_jar& jar, const char* to) { return jar.header_for(url::parse(to)); }

void receive(cookie_jar& jar, const char* from, const std::string& line) {
  jar.receive(url::parse(from), line);
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_cookies)

TROUPE_TEST_CASE(a_cookie_goes_back_to_where_it_came_from) {
  cookie_jar jar;
  receive(jar, "http://shop.example/cart/add", "a=1");
  BOOST_TEST(sent(jar, "http://shop.example/cart/") == "a=1");
  BOOST_TEST(sent(jar, "http://shop.example/cart") == "a=1");
  BOOST_TEST(sent(jar, "https://shop.example:8443/cart/x?y") == "a=1");
  BOOST_TEST(sent(jar, "http://shop.example/cartoons") == "");
  BOOST_TEST(sent(jar, "http://shop.example/") == "");
  BOOST_TEST(sent(jar, "http://www.shop.example/cart/") == "");
  BOOST_TEST(sent(jar, "http://example/cart/") == "");
  receive(jar, "http://shop.example/x", "b=2; Path=/");
  BOOST_TEST(sent(jar, "http://shop.example/cart/") == "a=1; b=2"); // the longer path first
  receive(jar, "http://shop.example/cart/add", "a=3");
  BOOST_TEST(sent(jar, "http://shop.example/cart/") == "a=3; b=2");
  BOOST_TEST(jar.all().size() == 2u);
  co_return;
}

TROUPE_TEST_CASE(a_cookie_can_be_for_a_domain_the_server_belongs_to) {
  cookie_jar jar;
  receive(jar, "http://www.shop.example/", "a=1; Domain=.Shop.example");
  BOOST_TEST(sent(jar, "http://shop.example/") == "a=1");
  BOOST_TEST(sent(jar, "http://other.shop.example/") == "a=1");
  BOOST_TEST(sent(jar, "http://notshop.example/") == "");
  receive(jar, "http://www.shop.example/", "b=2; Domain=other.example");
  receive(jar, "http://www.shop.example/", "c=3; Domain=evil.www.shop.example");
  receive(jar, "http://www.shop.example/", "d=4; Domain=example");
  receive(jar, "http://192.0.2.17/", "e=5; Domain=0.2.17");
  BOOST_TEST(jar.all().size() == 1u);
  receive(jar, "http://192.0.2.17/", "f=6; Domain=192.0.2.17");
  BOOST_TEST(sent(jar, "http://192.0.2.17/") == "f=6");
  receive(jar, "http://localhost/", "g=7; Domain=localhost");
  BOOST_TEST(sent(jar, "http://localhost/") == "g=7");
  BOOST_TEST(sent(jar, "http://www.localhost/") == "");
  co_return;
}

TROUPE_TEST_CASE(a_secure_cookie_is_for_https_alone) {
  cookie_jar jar;
  receive(jar, "https://a.example/", "a=1; Secure; HttpOnly; SameSite=Lax");
  BOOST_TEST(sent(jar, "https://a.example/") == "a=1");
  BOOST_TEST(sent(jar, "http://a.example/") == "");
  receive(jar, "http://a.example/", "b=1; secure");
  BOOST_TEST(jar.all().size() == 1u);
  co_return;
}

TROUPE_TEST_CASE(cookies_expire) {
  cookie_jar jar;
  const char* const here = "http://a.example/";
  receive(jar, here, "a=1; Max-Age=10");
  receive(jar, here, "b=1; Max-Age=10; Expires=Thu, 21 Oct 1999 07:28:00 GMT");
  receive(jar, here, "c=1; Expires=Thu, 21 Oct 1999 07:28:00 GMT"); // it is the year 2000
  receive(jar, here, "d=1; Expires=Fri, 31-Dec-99 23:59:59 GMT");
  receive(jar, here, "e=1; Expires=Sun Nov  6 08:49:37 1994");
  receive(jar, here, "f=1; Expires=Fri, 01 Jan 2100 00:00:00 GMT");
  receive(jar, here, "g=1; Expires=whenever");
  receive(jar, here, "h=1; Max-Age=99999999999999");
  BOOST_TEST(sent(jar, here) == "a=1; b=1; f=1; g=1; h=1");
  co_await sleep_for(11s);
  BOOST_TEST(sent(jar, here) == "f=1; g=1; h=1");
  receive(jar, here, "g=; Max-Age=0");
  receive(jar, here, "h=; Max-Age=-1");
  BOOST_TEST(sent(jar, here) == "f=1");
}

TROUPE_TEST_CASE(nonsense_is_ignored_and_there_is_no_end_of_it) {
  cookie_jar jar;
  const char* const here = "http://a.example/";
  for (const char* line : {"", ";", "=", "=x", "no value", "; a=1", "   ;Path=/"})
    receive(jar, here, line);
  BOOST_TEST(jar.all().empty());
  receive(jar, here, "a=" + std::string(5000, 'x'));
  BOOST_TEST(jar.all().empty());
  receive(jar, here, "a=; Path; =x; ;;Domain=");
  BOOST_TEST(sent(jar, here) == "a=");
  for (int i = 0; i < 100; ++i)
    receive(jar, here, "n" + std::to_string(i) + "=1");
  BOOST_TEST(jar.all().size() == 50u);
  BOOST_TEST(jar.all().back().name == "n99");
  for (int i = 0; i < 4000; ++i)
    receive(jar, ("http://a" + std::to_string(i) + ".example/").c_str(), "a=1");
  BOOST_TEST(jar.all().size() == 3000u);
  co_return;
}

TROUPE_TEST_CASE(a_session_keeps_cookies_also_those_of_redirects) {
  for (const bool on : {true, false})
    co_await with_server(
      [](const std::string& request) {
        if (request.starts_with("GET /login"))
          return reply("", "302 Found",
                       "Location: /home\r\nSet-Cookie: user=me\r\nSet-Cookie: "
                       "theme=dark; Path=/nowhere\r\n");
        const std::size_t at = request.find("Cookie: ");
        return reply(at == std::string::npos ? ""
                                             : request.substr(at, request.find("\r\n", at) - at));
      },
      [&](fake_server&, client_session& session) -> task<> {
        auto answer = co_await session.get("http://a.example/login");
        BOOST_TEST(co_await answer.text() == (on ? "Cookie: user=me" : ""));
        BOOST_TEST(session.cookies().all().size() == (on ? 2u : 0u));
        auto other = co_await session.get("http://b.example/");
        BOOST_TEST(co_await other.text() == "");
      },
      [&](client_options& o) { o.cookies = on; });
}

BOOST_AUTO_TEST_SUITE_END()
