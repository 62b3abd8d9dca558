// SPDX-License-Identifier: BSD-3-Clause
// P4 and P5 for WebSockets; see tests/runtime/awaitables_test.cpp.
#include "support/awaitable_trials.hpp"
#include "websocket_pair.hpp"

#include <troupe/http/echo.hpp>
#include <troupe/http/server.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::http;
using namespace troupe_test;

namespace {

using operation = std::function<task<>(websocket_ends&)>;

/// On the client's end; `before` is not cancelled.
auto on_ends(const operation& before, const operation& now, const operation& waiting) {
  return [=] {
    auto e = std::make_shared<websocket_ends>();
    auto written = std::make_shared<std::uint64_t>(0);
    trial t;
    t.setup = [e, written, before]() -> task<> {
      *e = co_await open_ends();
      if (before)
        co_await before(*e);
      *written = e->to_server->written();
    };
    if (now)
      t.now = [e, now] { return now(*e); };
    if (waiting)
      t.waiting = [e, waiting] { return waiting(*e); };
    t.untouched = [e, written] { return e->to_server->written() == *written; };
    return t;
  };
}

auto sends(const operation& op) {
  const operation slowly = [op](websocket_ends& e) {
    e.to_server->capacity(0);
    return op(e);
  };
  return on_ends({}, op, slowly);
}

/// Two messages come at once, and one is received.
task<> leave_one(websocket_ends& e) {
  co_await e.server->send_text("one");
  co_await e.server->send_text("two");
  static_cast<void>(co_await e.client->receive());
}

/// `asking()`, read.
request_head asked() {
  request_head head;
  head.target = "/chat";
  head.headers = {{"Host", "server.example.com"},
                  {"Upgrade", "websocket"},
                  {"Connection", "keep-alive, Upgrade"},
                  {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                  {"Sec-WebSocket-Version", "13"}};
  return head;
}

/// The ends of a connection on which nothing has been said.
struct bare {
  bare() { options.socket.close_limit = {}; } // nobody says goodbye

  std::pair<testing::memory_stream, testing::memory_stream> ends = testing::memory_stream_pair();
  std::shared_ptr<testing::memory_pipe> sent = ends.second.outgoing();
  websocket_server_options options;
};

using on_bare = std::function<task<>(bare&)>;

auto accepts(const std::string& said, const on_bare& now, const on_bare& waiting) {
  return [=] {
    auto b = std::make_shared<bare>();
    b->ends.first.outgoing()->put(said);
    trial t;
    if (now)
      t.now = [b, now] { return now(*b); };
    if (waiting)
      t.waiting = [b, waiting] { return waiting(*b); };
    t.untouched = [b] { return b->sent->written() == 0; };
    return t;
  };
}

auto on_a_port(std::function<task<>(tcp_listener)> op) {
  return [op = std::move(op)] {
    trial t;
    t.real_time = true;
    t.waiting = [op]() -> task<> {
      const listen_options local{.address = "127.0.0.1"};
      tcp_listener listener(0, local);
      co_await op(std::move(listener));
    };
    return t;
  };
}

task<> wait_for_ever(websocket&) { co_await sleep_forever(); }

} // namespace

BOOST_AUTO_TEST_SUITE(websocket_awaitables)

BOOST_AUTO_TEST_CASE(p04_p05_messages) {
  const operation receive = [](websocket_ends& e) -> task<> {
    static_cast<void>(co_await e.client->receive());
  };
  const operation receive_piece = [](websocket_ends& e) -> task<> {
    static_cast<void>(co_await e.client->receive_piece());
  };
  run_trials({
    {"websocket::receive", true, on_ends({}, {}, receive)},
    {"websocket::receive (a message is there)", false, on_ends(leave_one, receive, {})},
    {"websocket::receive_piece", true, on_ends({}, {}, receive_piece)},
    {"websocket::receive_piece (one is there)", false, on_ends(leave_one, receive_piece, {})},
    {"websocket::send_text", true,
     sends([](websocket_ends& e) -> task<> { co_await e.client->send_text("text"); })},
    {"websocket::send_binary", true,
     sends([](websocket_ends& e) -> task<> { co_await e.client->send_binary("data"); })},
    {"websocket::send", true, sends([](websocket_ends& e) -> task<> {
       const websocket_message m{.data = "text"};
       co_await e.client->send(m);
     })},
    {"websocket::ping", true,
     sends([](websocket_ends& e) -> task<> { co_await e.client->ping(); })},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_the_end) {
  const operation close = [](websocket_ends& e) -> task<> { co_await e.client->close(); };
  const auto closing = [close] {
    trial t = on_ends({}, {}, close)();
    t.untouched = {}; // cut off
    return t;
  };
  run_trials({
    {"websocket::close", true, closing},
    {"websocket::close (again)", false,
     on_ends(
       [](websocket_ends& e) -> task<> {
         e.client->abort();
         co_return;
       },
       close, {})},
    {"echo", true,
     on_ends({}, {},
             [](websocket_ends& e) -> task<> {
               const echo_options options;
               co_await http::echo(*e.client, options);
             })},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_handshakes) {
  const on_bare connect = [](bare& b) -> task<> {
    const websocket_client_options options;
    static_cast<void>(
      co_await connect_websocket(owned(std::move(b.ends.first)), "ws://a/", options));
  };
  const on_bare accept = [](bare& b) -> task<> {
    static_cast<void>(co_await accept_websocket(owned(std::move(b.ends.second)), b.options));
  };
  const on_bare accept_borrowed = [](bare& b) -> task<> {
    static_cast<void>(co_await accept_websocket(b.ends.second, b.options));
  };
  const on_bare answer = [](bare& b) -> task<> {
    static_cast<void>(
      co_await accept_websocket(owned(std::move(b.ends.second)), asked(), "", b.options));
  };
  const on_bare answer_borrowed = [](bare& b) -> task<> {
    static_cast<void>(co_await accept_websocket(b.ends.second, asked(), "", b.options));
  };
  run_trials({
    {"connect_websocket", true, accepts("", {}, connect)},
    {"accept_websocket", true, accepts("", {}, accept)},
    {"accept_websocket (asked already)", true, accepts(asking(), accept, {})},
    {"accept_websocket (of a borrowed stream)", true, accepts(asking(), accept_borrowed, {})},
    {"accept_websocket (of a request)", true, accepts("", answer, {})},
    {"accept_websocket (of both)", true, accepts("", answer_borrowed, {})},
    {"accept_websocket (in a handler)", true,
     accepts(asking(),
             [](bare& b) -> task<> {
               const served_handler h = [&b](http::request& rq, http::response& rs) -> task<> {
                 const websocket ws = co_await accept_websocket(rq, rs, b.options);
               };
               const server_options options;
               co_await serve_connection(b.ends.second, h, options);
             },
             {})},
    {"open_websocket", true, on_a_port([](tcp_listener listener) -> task<> {
       const std::string url = "ws://127.0.0.1:" + std::to_string(listener.port()) + "/";
       static_cast<void>(co_await open_websocket(url));
     })},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_sessions) {
  run_trials({
    {"websocket_session", true,
     accepts("", {},
             [](bare& b) -> task<> {
               co_await websocket_session(b.ends.second, wait_for_ever, b.options);
             })},
    {"websocket_session (in a handler)", true,
     [] {
       trial t = accepts(asking(), {}, [](bare& b) -> task<> {
         const served_handler h = [&b](http::request& rq, http::response& rs) {
           return websocket_session(rq, rs, wait_for_ever, b.options);
         };
         const server_options options;
         co_await serve_connection(b.ends.second, h, options);
       })();
       t.untouched = {};
       return t;
     }},
    {"serve_websocket", true, on_a_port([](tcp_listener listener) -> task<> {
       const websocket_server_options how;
       const serve_options serving;
       co_await serve_websocket(wait_for_ever, std::move(listener), how, serving);
     })},
    {"serve_echo", true, on_a_port([](tcp_listener listener) -> task<> {
       const websocket_server_options how;
       const echo_options options;
       co_await http::serve_echo(std::move(listener), how, options);
     })},
  });
}

BOOST_AUTO_TEST_SUITE_END()
