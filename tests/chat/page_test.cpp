// SPDX-License-Identifier: BSD-3-Clause
#include "site.hpp"

#include <troupe/http/websocket_handshake.hpp>

#include <boost/test/unit_test.hpp>

using namespace troupe_test;

namespace {

task<std::string> get(std::string target) {
  tcp_stream s = co_await open_tcp_stream("server", 80);
  const std::string request =
    "GET " + target + " HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n";
  co_await s.write_all(request);
  buffered_reader in(s);
  co_return co_await in.read_to_end(1'000'000);
}

} // namespace

BOOST_AUTO_TEST_SUITE(chat_page)

BOOST_AUTO_TEST_CASE(page_is_served_and_nothing_from_elsewhere_runs_in_it) {
  house h;
  open_site(h, [](chat::service&) -> task<> {
    const std::string page = co_await get("/");
    BOOST_TEST(page.starts_with("HTTP/1.1 200"));
    BOOST_TEST(page.find("Content-Type: text/html; charset=utf-8") != std::string::npos);
    BOOST_TEST(page.find("script-src 'self'") != std::string::npos);
    BOOST_TEST(page.find("<title>Chat</title>") != std::string::npos);
    BOOST_TEST(page.find(" style=") == std::string::npos); // the policy would not let it
    for (const char* file : {"/chat.js", "/chat.css", "/icon.svg", "/index.html"})
      BOOST_TEST((co_await get(file)).starts_with("HTTP/1.1 200"));
    BOOST_TEST((co_await get("/chat")).starts_with("HTTP/1.1 426"));
    BOOST_TEST((co_await get("/nothing")).starts_with("HTTP/1.1 404"));
  });
}

BOOST_AUTO_TEST_CASE(browsers_and_terminals_are_in_one_room) {
  house h;
  open_site(h, [&](chat::service&) -> task<> {
    guest ann = co_await guest::join("ann");
    co_await ann.say("hello");
    co_await ann.hear("ann: hello");
    surfer bob = co_await surfer::come("bob");
    const std::string old = co_await bob.hear("hello");
    BOOST_TEST(old.find("\"what\":\"line\"") != std::string::npos);
    BOOST_TEST(old.find("\"kept\":true,\"old\":true") != std::string::npos);
    BOOST_TEST((co_await bob.hear("entered")).find("\"names\":[\"ann\",\"bob\"]")
               != std::string::npos);
    co_await ann.hear("* bob has joined lobby");
    co_await bob.say("\"quotes\" \\ and\nlines");
    co_await ann.hear("bob: \"quotes\" \\ and lines");
    co_await bob.hear(R"("text":"\"quotes\" \\ and lines")");
    co_await bob.say("/quit");
    co_await bob.hear("goodbye");
    BOOST_TEST(!(co_await bob.socket.receive()).has_value());
    co_await ann.hear("* bob has left lobby");
  });
}

BOOST_AUTO_TEST_CASE(pages_of_other_servers_may_not_connect) {
  house h;
  open_site(h, [&](chat::service&) -> task<> {
    http::websocket_client_options options;
    options.headers.add("Origin", "http://evil.example");
    BOOST_CHECK_THROW(static_cast<void>(co_await http::open_websocket("ws://server/chat", options)),
                      http::websocket_refused);
  });
}

BOOST_AUTO_TEST_CASE(what_is_too_long_is_answered_and_what_is_far_too_long_is_cut_off) {
  house h;
  open_site(h, [&](chat::service&) -> task<> {
    surfer bob = co_await surfer::come("bob");
    co_await bob.hear("entered");
    bob.socket.abort();
    surfer huge = co_await surfer::come("huge");
    co_await huge.hear("entered");
    co_await huge.say(std::string(100'000, 'x'));
    BOOST_CHECK_THROW(co_await huge.hear("never"), http::websocket_closed);
    surfer eve = co_await surfer::come("eve");
    co_await eve.hear("entered");
    co_await eve.say(std::string(2000, 'x'));
    co_await eve.hear("more than 1000 bytes");
  });
}

BOOST_AUTO_TEST_SUITE_END()
