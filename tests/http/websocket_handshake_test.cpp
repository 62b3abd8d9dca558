// SPDX-License-Identifier: BSD-3-Clause
// How WebSockets begin.
#include "websocket_pair.hpp"

#include <troupe/http/router.hpp>
#include <troupe/http/server.hpp>
#include <troupe/http/url.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/testing/network.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::http;
using namespace std::chrono_literals;
using troupe_test::asking;
using troupe_test::open_ends;
using troupe_test::owned;

namespace {

/// What a server answers to `sent`, up to its end.
task<std::string> answer_to(const std::string& sent, websocket_server_options options) {
  auto [client, server] = testing::memory_stream_pair();
  co_await client.write_all(sent);
  co_await client.send_eof();
  std::optional<websocket> ws;
  try {
    ws = co_await accept_websocket(owned(std::move(server)), std::move(options));
  } catch (const std::runtime_error&) { // NOLINT(bugprone-empty-catch): the answer says it
  }
  co_return std::string(client.incoming()->bytes());
}

/// What a client makes of `answer`, in which KEY stands for what the server is to say.
task<std::string> verdict_on(std::string answer, websocket_client_options options) {
  auto [client, server] = testing::memory_stream_pair();
  std::string verdict = "fine";
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      buffered_reader in(server);
      const std::string asked = co_await in.read_until("\r\n\r\n");
      const request_head dummy;
      auto [to, from] = testing::memory_stream_pair(); // a real server knows the key
      co_await to.write_all(asked);
      const websocket_server_options there;
      const websocket ws = co_await accept_websocket(owned(std::move(from)), there);
      const std::string real(to.incoming()->bytes());
      const auto begin = real.find("Sec-WebSocket-Accept: ") + 22;
      const std::string key = real.substr(begin, 28);
      if (const auto at = answer.find("KEY"); at != std::string::npos)
        answer.replace(at, 3, key);
      co_await server.write_all(answer);
      co_await server.send_eof();
    });
    try {
      const websocket ws =
        co_await connect_websocket(owned(std::move(client)), "ws://there/", options);
      verdict += " " + ws.subprotocol() + (ws.deflates() ? " deflates" : "");
    } catch (const websocket_refused& e) {
      verdict = e.what();
    } catch (const net_error& e) {
      verdict = e.what();
    } catch (const http_error& e) {
      verdict = e.what();
    }
  });
  co_return verdict;
}

const std::string yes = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Accept: KEY\r\n";

} // namespace

BOOST_AUTO_TEST_SUITE(websocket_handshake)

TROUPE_TEST_CASE(the_example_of_the_standard_is_answered_as_it_says) {
  const websocket_server_options options;
  const auto said = co_await answer_to(asking(), options);
  BOOST_TEST(said.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
  BOOST_TEST(said.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")
             != std::string::npos);
  BOOST_TEST(said.ends_with("\r\n\r\n"));
}

TROUPE_TEST_CASE(what_is_no_request_for_a_websocket_is_refused) {
  struct row {
    std::string sent;
    std::string status;
  };
  const std::vector<row> rows{
    {asking("GET", "POST"), "426"},
    {asking("HTTP/1.1", "HTTP/1.0"), "426"},
    {asking("Upgrade: websocket\r\n"), "426"},
    {asking("Upgrade: websocket", "Upgrade: h2c"), "426"},
    {asking(", Upgrade"), "426"},
    {asking("Version: 13", "Version: 8"), "426"},
    {asking("Sec-WebSocket-Version: 13\r\n"), "426"},
    {asking("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), "400"},
    {asking("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ=="), "400"},
    {asking("dGhlIHNhbXBsZSBub25jZQ==", "d\xC3\xA4lIHNhbXBsZSBub25jZQ=="), "400"},
    {asking("Upgrade: w", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nUpgrade: w"), "400"},
    {asking("Host: server.example.com\r\n"), "400"},
    {asking("Upgrade: w", "Host: another\r\nUpgrade: w"), "400"},
    {asking("GET /chat", "GET /ch at"), "400"},
    {asking("Host:", "Host :"), "400"},
    {"hello\r\n\r\n", "400"},
    {asking("Upgrade: w", "Origin: https://evil.example\r\nUpgrade: w"), "403"},
    {asking("Upgrade: w", "Origin: null\r\nUpgrade: w"), "403"},
    {asking("Upgrade: w", "X: " + std::string(20'000, 'x') + "\r\nUpgrade: w"), "431"},
  };
  const websocket_server_options options;
  for (const row& r : rows) {
    const auto said = co_await answer_to(r.sent, options);
    BOOST_TEST(said.substr(9, 3) == r.status, r.sent << " -> " << said);
  }
  const auto nothing = co_await answer_to("GET /", options);
  BOOST_TEST(nothing.empty());
}

TROUPE_TEST_CASE(pages_of_the_own_server_may_come_and_others_if_they_are_allowed) {
  const websocket_server_options options;
  const auto own = asking("Upgrade: w", "Origin: http://server.example.com\r\nUpgrade: w");
  BOOST_TEST((co_await answer_to(own, options)).substr(9, 3) == "101");
  websocket_server_options open;
  open.allow = {};
  const auto other = asking("Upgrade: w", "Origin: https://evil.example\r\nUpgrade: w");
  BOOST_TEST((co_await answer_to(other, open)).substr(9, 3) == "101");
  websocket_server_options closed;
  closed.allow = [](const request_head& r) -> bool {
    if (!r.headers.contains("Cookie"))
      throw http_error(401, "who are you?");
    return true;
  };
  BOOST_TEST((co_await answer_to(asking(), closed)).substr(9, 3) == "401");
}

TROUPE_TEST_CASE(who_never_asks_is_not_waited_for) {
  auto [client, server] = testing::memory_stream_pair();
  co_await client.write_all("GET / HTTP/1.1\r\n");
  const auto begin = current_time();
  const websocket_server_options options;
  BOOST_CHECK_THROW(co_await accept_websocket(owned(std::move(server)), options), timeout_error);
  BOOST_TEST((current_time() - begin == 10s));
}

TROUPE_TEST_CASE(a_subprotocol_is_agreed_on) {
  websocket_client_options client;
  client.subprotocols = {"chat.2", "chat.1"};
  websocket_server_options server;
  server.subprotocols = {"chat.3", "chat.1", "chat.2"};
  auto ends = co_await open_ends(client, server);
  BOOST_TEST(ends.client->subprotocol() == "chat.1");
  BOOST_TEST(ends.server->subprotocol() == "chat.1");
}

TROUPE_TEST_CASE(what_was_sent_behind_the_handshake_is_there) {
  auto [client, server] = testing::memory_stream_pair();
  co_await client.write_all(asking() + troupe_test::client_frame(0x81, "eager"));
  const websocket_server_options options;
  websocket ws = co_await accept_websocket(owned(std::move(server)), options);
  BOOST_TEST((co_await ws.receive())->data == "eager");
}

TROUPE_TEST_CASE(an_answer_that_is_not_right_is_not_taken) {
  websocket_client_options plain;
  websocket_client_options rich;
  rich.subprotocols = {"chat"};
  rich.socket.deflate = true;
  const std::string end = "\r\n";
  BOOST_TEST(co_await verdict_on(yes + end, plain) == "fine ");
  const auto says = [](const std::string& verdict, const char* what) {
    BOOST_TEST(verdict.find(what) != std::string::npos, verdict);
  };
  says(co_await verdict_on("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", plain),
       "no WebSocket at ws://there/: the server answers 404 Not Found");
  says(co_await verdict_on("HTTP/1.1 101 OK\r\nSec-WebSocket-Accept: KEY\r\n\r\n", plain),
       "something else");
  says(co_await verdict_on("HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
                           plain),
       "key");
  says(co_await verdict_on(yes + "Sec-WebSocket-Protocol: chat\r\n\r\n", plain), "subprotocol");
  says(co_await verdict_on(yes + "Sec-WebSocket-Protocol: chat\r\n\r\n", rich), "fine chat");
  const std::string extensions = "Sec-WebSocket-Extensions: ";
  says(co_await verdict_on(yes + extensions + "permessage-deflate\r\n\r\n", plain), "extension");
  says(co_await verdict_on(yes + extensions + "permessage-deflate\r\n\r\n", rich), "deflates");
  says(co_await verdict_on(yes + extensions
                             + "permessage-deflate; client_max_window_bits=9; "
                               "server_no_context_takeover\r\n\r\n",
                           rich),
       "deflates");
  for (const char* bad : {"permessage-deflate; client_max_window_bits=8", "permessage-deflate; x",
                          "permessage-deflate; server_max_window_bits=16", "x-webkit-deflate",
                          "permessage-deflate, permessage-deflate"})
    says(co_await verdict_on(yes + extensions + bad + "\r\n\r\n", rich), "extension");
  says(co_await verdict_on("SSH-2.0-OpenSSH_9.2\r\n\r\n", plain), "400");
  says(co_await verdict_on("HTTP/1.1 101", plain), "ended");
}

TROUPE_TEST_CASE(an_offer_of_compression_is_answered_with_what_can_be_done) {
  websocket_server_options options;
  options.socket.deflate = true;
  struct row {
    const char* offer;
    const char* answer;
  };
  for (const row& r : std::vector<row>{
         {"permessage-deflate", "permessage-deflate\r\n"},
         {"permessage-deflate; client_max_window_bits", "permessage-deflate\r\n"},
         {"permessage-deflate; server_max_window_bits=10",
          "permessage-deflate; server_max_window_bits=10\r\n"},
         {"permessage-deflate; server_no_context_takeover; client_no_context_takeover",
          "permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"},
         {"permessage-deflate; server_max_window_bits=8, permessage-deflate",
          "permessage-deflate\r\n"},
         {"permessage-deflate; unknown", ""},
         {"permessage-deflate; server_max_window_bits=7", ""},
         {"permessage-deflate; server_max_window_bits", ""},
         {"permessage-deflate; client_max_window_bits=15; client_max_window_bits=15", ""},
         {"x-webkit-deflate-frame", ""},
         {";;,,=", ""}}) {
    const auto sent =
      asking("Upgrade: w", std::string("Sec-WebSocket-Extensions: ") + r.offer + "\r\nUpgrade: w");
    const auto said = co_await answer_to(sent, options);
    const auto at = said.find("Sec-WebSocket-Extensions: ");
    const auto chosen =
      at == std::string::npos ? "" : said.substr(at + 26, said.find('\n', at) - at - 25);
    BOOST_TEST(chosen == r.answer, r.offer);
  }
}

TROUPE_TEST_CASE(urls_that_are_none_of_websockets_are_refused) {
  BOOST_CHECK_THROW(co_await open_websocket("http://localhost/"), url_error);
  BOOST_CHECK_THROW(co_await open_websocket("ws:/localhost"), url_error);
}

BOOST_AUTO_TEST_CASE(a_server_on_a_network_serves_and_says_goodbye) {
  testing::virtual_clock time;
  testing::simulated_network net;
  net.add_host("server");
  net.add_host("client");
  run_options options;
  options.loops = 1;
  options.time = &time;
  options.network = &net;
  std::vector<std::string> failures;
  run(options, [&]() -> task<> {
    const auto serve = [&]() -> task<> {
      serve_options serving;
      serving.on_failure = [&](const std::exception_ptr& e, std::string_view) {
        failures.push_back(describe(e));
      };
      const websocket_server_options how;
      const auto handler = [](websocket& ws) -> task<> {
        for (;;) {
          const auto m = co_await ws.receive();
          if (!m)
            break;
          if (m->data == "fail")
            throw std::runtime_error("as you like");
          co_await ws.send(*m);
        }
      };
      tcp_listener listener(80);
      co_await serve_websocket(handler, std::move(listener), how, serving);
    };
    co_await with_nursery([&](nursery& n) -> task<> {
      const auto server = n.start_soon([&]() { return net.on("server", serve); });
      co_await sleep_for(1s);
      co_await net.on("client", [&]() -> task<> {
        websocket one = co_await open_websocket("ws://server/");
        websocket other = co_await open_websocket("ws://server/");
        co_await one.send_text("hello");
        BOOST_TEST((co_await one.receive())->data == "hello");
        co_await one.send_text("fail");
        try {
          co_await one.receive();
          BOOST_ERROR("it did not throw");
        } catch (const websocket_closed& e) {
          BOOST_TEST(e.code() == close_code::internal_error);
        }
        co_await one.close();
        { // one that just goes
          websocket rude = co_await open_websocket("ws://server/");
          co_await rude.send_text("x");
        }
        co_await sleep_for(1s);
        server.cancel();
        const auto m = co_await other.receive(); // 1001
        BOOST_TEST(!m);
        co_await other.close();
      });
    });
  });
  BOOST_TEST(failures == std::vector<std::string>{"as you like"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_http_server_has_websockets_beside_pages) {
  testing::virtual_clock time;
  testing::simulated_network net;
  net.add_host("server");
  net.add_host("client");
  run_options options;
  options.loops = 1;
  options.time = &time;
  options.network = &net;
  run(options, [&]() -> task<> {
    const auto serve = []() -> task<> {
      http::router routes;
      routes.get("/", [](http::request&, http::response& rs) -> task<> {
        rs.body = "a page";
        co_return;
      });
      http::websocket_server_options how;
      how.socket.deflate = true;
      how.subprotocols = {"echo"};
      routes.get("/echo", http::websocket_route(
                            [](websocket& ws) -> task<> {
                              for (;;) {
                                const auto m = co_await ws.receive();
                                if (!m)
                                  break;
                                co_await ws.send(*m);
                              }
                            },
                            how));
      tcp_listener listener(80);
      co_await http::serve(routes, std::move(listener));
    };
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_service([&]() { return net.on("server", serve); });
      co_await sleep_for(1s);
      co_await net.on("client", [&]() -> task<> {
        auto s = co_await open_tcp_stream("server", 80);
        co_await s.write_all("GET / HTTP/1.1\r\nHost: server\r\n\r\n" // and then, on the same one
                             + asking("server.example.com", "server").replace(4, 5, "/echo")
                             + troupe_test::client_frame(0x81, "eager"));
        buffered_reader in(s);
        BOOST_TEST((co_await in.read_until("a page")).starts_with("HTTP/1.1 200"));
        BOOST_TEST((co_await in.read_until("\r\n\r\n")).starts_with("HTTP/1.1 101"));
        BOOST_TEST(co_await in.read_exactly(7)
                   == "\x81\x05"
                      "eager");
        http::websocket_client_options rich;
        rich.socket.deflate = true;
        rich.subprotocols = {"echo"};
        auto ws = co_await open_websocket("ws://server/echo", rich);
        BOOST_TEST(ws.deflates());
        BOOST_TEST(ws.subprotocol() == "echo");
        const std::string big(100'000, 'x');
        co_await ws.send_text(big);
        BOOST_TEST(((co_await ws.receive())->data == big));
        co_await ws.close();
        try {
          auto none = co_await open_websocket("ws://server/");
          BOOST_ERROR("it did not throw");
        } catch (const http::websocket_refused& e) {
          BOOST_TEST(e.answer().status == 200);
        }
        http::websocket_client_options foreign;
        foreign.headers.add("Origin", "https://evil.example");
        try {
          auto none = co_await open_websocket("ws://server/echo", foreign);
          BOOST_ERROR("it did not throw");
        } catch (const http::websocket_refused& e) {
          BOOST_TEST(e.answer().status == 403);
        }
      });
    });
  });
}

BOOST_AUTO_TEST_SUITE_END()
