// SPDX-License-Identifier: BSD-3-Clause
// WebSockets over TLS: wss.
#include "support/tls_pair.hpp"

#include <troupe/http/websocket_handshake.hpp>
#include <troupe/testing/network.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

using namespace troupe;
using namespace troupe::http;
using namespace std::chrono_literals;
using troupe_test::what;

namespace {

websocket_client_options trusting() {
  websocket_client_options how;
  how.tls = tls_client_context(troupe_test::client_options());
  return how;
}

/// A server of WebSockets over TLS on alt.example, which sends messages back.
struct house {
  house() {
    net.add_host("alt.example");
    net.add_name("other.example", "alt.example");
    net.add_host("client");
    serving.on_failure = [this](const std::exception_ptr& e, std::string_view) {
      failures.push_back(what(e));
    };
  }

  void open(const std::function<task<>()>& client) {
    testing::virtual_clock time;
    run_options how;
    how.loops = 1;
    how.time = &time;
    how.network = &net;
    run(how, [&]() -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        co_await n.start([&](task_status<>& ready) { return serve(ready); });
        co_await net.on("client", client);
        n.cancel();
      });
    });
  }

  task<> serve(task_status<>& ready) {
    const websocket_handler answer = [this](websocket& ws) -> task<> {
      asked_for = ws.request().target;
      while (const auto m = co_await ws.receive())
        co_await ws.send(*m);
      ++ordinary_ends;
    };
    const websocket_server_options options;
    const auto session = [&](tls_stream& s) { return websocket_session(s, answer, options); };
    co_await net.on("alt.example", [&]() -> task<> {
      tcp_listener listener(443);
      ready.started();
      const tls_server_context context(troupe_test::server_options("alt"));
      co_await serve_tls_listener(session, std::move(listener), context, serving);
    });
  }

  testing::simulated_network net;
  serve_options serving;
  std::vector<std::string> failures;
  std::string asked_for;
  int ordinary_ends = 0;
};

} // namespace

BOOST_AUTO_TEST_SUITE(websocket_tls)

BOOST_AUTO_TEST_CASE(wss_carries_messages_and_ends_cleanly) {
  house h;
  h.open([&]() -> task<> {
    const auto how = trusting();
    websocket ws = co_await open_websocket("wss://alt.example/chat?room=1", how);
    BOOST_TEST(h.asked_for == "/chat?room=1");
    for (const std::string& text : {std::string("hello"), std::string(300'000, 'x')}) {
      co_await ws.send_text(text);
      const auto back = co_await ws.receive();
      BOOST_REQUIRE(back);
      BOOST_TEST((back->data == text));
    }
    co_await ws.close();
  });
  BOOST_TEST(h.ordinary_ends == 1);
  BOOST_TEST(h.failures.empty());
}

BOOST_AUTO_TEST_CASE(wss_wants_the_certificate_of_its_host) {
  house h;
  h.open([&]() -> task<> {
    // whose authority nobody here knows
    BOOST_CHECK_THROW(co_await open_websocket("wss://alt.example/"), certificate_error);
    // another host's
    const auto how = trusting();
    BOOST_CHECK_THROW(co_await open_websocket("wss://other.example/", how), certificate_error);
  });
  BOOST_TEST(h.asked_for.empty());
}

BOOST_AUTO_TEST_CASE(wss_that_is_cut_off_is_no_ordinary_end) {
  house h;
  h.open([&]() -> task<> {
    const auto how = trusting();
    {
      websocket ws = co_await open_websocket("wss://alt.example/", how);
      co_await ws.send_text("hello");
      static_cast<void>(co_await ws.receive());
    } // without a word
    co_await sleep_for(1s);
  });
  BOOST_TEST(h.ordinary_ends == 0);
  BOOST_TEST(h.failures.empty()); // that is the client's affair
}

BOOST_AUTO_TEST_SUITE_END()
