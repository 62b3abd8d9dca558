// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/http/client_session.hpp>
#include <troupe/http/server.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/testing/network.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include "support/certificates.hpp"
#include "support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <set>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using troupe_test::certificates;

namespace {

/// Says what it was sent, and remembers over which connections it came.
struct remembering_mirror {
  std::set<std::string> peers;
  int requests = 0;

  [[nodiscard]] http::handler handler() {
    return [this](http::request& rq, http::response& rs) -> task<> {
      peers.insert(rq.peer());
      ++requests;
      rs.body = rq.method + " " + rq.target + " " + co_await rq.read_all();
    };
  }
};

/// Runs `client()` on one host while `handler` answers on port 80 of "server".
void play(simulated_network& net, http::handler handler, std::function<task<>()> client) {
  net.add_host("server");
  net.add_host("client");
  virtual_clock time;
  run_options options;
  options.loops = 1;
  options.time = &time;
  options.network = &net;
  run(options, [&]() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_service([&]() -> task<> {
        co_await net.on("server", [&]() -> task<> {
          http::server_options quiet;
          quiet.serve.on_failure = [](const std::exception_ptr&, std::string_view) {};
          co_await http::serve(handler, 80, quiet);
        });
      });
      co_await net.on("client", client);
    });
  });
}

task<> put_text(http::client_session& session, std::string url, std::string text) {
  auto answer = co_await session.put(url, text, "text/plain");
  BOOST_TEST(co_await answer.text() == "PUT /x " + text);
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_clients_of_servers)

BOOST_AUTO_TEST_CASE(p17_a_thousand_requests_go_over_ten_connections) {
  simulated_network net;
  remembering_mirror m;
  play(net, m.handler(), [&]() -> task<> {
    http::client_options options;
    options.limit = 10;
    co_await http::with_client_session(options, [&](http::client_session& session) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        for (int i = 0; i < 1000; ++i)
          n.start_soon(put_text, std::ref(session), "http://server/x", std::to_string(i));
        co_return;
      });
      BOOST_TEST(session.statistics().opened == 10u);
      BOOST_TEST(session.statistics().reused == 990u);
      BOOST_TEST(session.statistics().idle == 10u);
    });
  });
  BOOST_TEST(m.requests == 1000);
  BOOST_TEST(m.peers.size() == 10u);
}

BOOST_AUTO_TEST_CASE(what_happens_to_the_network_comes_out) {
  simulated_network net;
  const http::handler much = [](http::request&, http::response& rs) -> task<> {
    for (int i = 0; i < 100; ++i)
      co_await rs.write(std::string(10'000, 'x'));
  };
  play(net, much, [&]() -> task<> {
    http::client_options options;
    options.timeouts.read = 10s;
    co_await http::with_client_session(options, [&](http::client_session& session) -> task<> {
      const auto read = [&]() -> task<std::size_t> {
        auto answer = co_await session.get("http://server/");
        co_return (co_await answer.text()).size();
      };
      BOOST_TEST(co_await read() == 1'000'000u);
      BOOST_CHECK_THROW(co_await session.get("http://server:81/"), connection_refused);
      BOOST_CHECK_THROW(co_await session.get("http://nobody/"), name_not_found);
      { // idle, it was reset: another is opened
        net.reset("client", "server");
        BOOST_TEST(co_await read() == 1'000'000u);
      }
      { // in the middle of a body
        auto answer = co_await session.get("http://server/");
        net.reset("client", "server");
        BOOST_CHECK_THROW(co_await answer.text(), connection_reset);
      }
      { // no way there
        auto answer = co_await session.get("http://server/");
        net.partition("client", "server");
        BOOST_CHECK_THROW(co_await answer.text(), timeout_error);
        net.heal();
      }
      BOOST_TEST(co_await read() == 1'000'000u);
      BOOST_TEST(session.statistics().connections == 1u);
    });
  });
}

TROUPE_TEST_CASE(https_is_checked_and_kept, .virtual_time = false) {
  remembering_mirror m;
  tcp_listener listener(0, {.address = "127.0.0.1"});
  const std::string site = "https://localhost:" + std::to_string(listener.port());
  const tls_server_context server(certificates::file("server.crt"),
                                  certificates::file("server.key"));
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      http::server_options quiet;
      quiet.serve.on_failure = [](const std::exception_ptr&, std::string_view) {};
      co_await http::serve(m.handler(), std::move(listener), server, quiet);
    });
    http::client_options options;
    tls_client_options trust;
    trust.ca_file = certificates::file("ca.crt");
    options.tls = tls_client_context(trust);
    co_await http::with_client_session(options, [&](http::client_session& session) -> task<> {
      for (int i = 0; i < 20; ++i)
        co_await put_text(session, site + "/x", std::string(20'000, 'y'));
      BOOST_TEST(session.statistics().opened == 1u);
    });
    trust.ca_file = certificates::file("stranger.crt");
    options.tls = tls_client_context(trust);
    co_await http::with_client_session(options, [&](http::client_session& session) -> task<> {
      BOOST_CHECK_THROW(co_await session.get(site + "/x"), certificate_error);
      BOOST_TEST(session.statistics().connections == 0u);
    });
    co_await http::with_client_session([&](http::client_session& session) -> task<> {
      BOOST_CHECK_THROW(co_await session.get(site + "/x"), certificate_error); // nobody trusts it
    });
    n.cancel("the test is over");
  });
  BOOST_TEST(m.peers.size() == 1u);
}

TROUPE_TEST_CASE(a_server_on_a_unix_socket_is_reached, .virtual_time = false) {
  remembering_mirror m;
  const troupe_test::temporary_directory folder;
  const std::string path = folder / "socket";
  unix_listener listener(path);
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> { co_await http::serve(m.handler(), std::move(listener)); });
    http::client_options options;
    options.unix_socket = path;
    co_await http::with_client_session(options, [&](http::client_session& session) -> task<> {
      for (int i = 0; i < 20; ++i)
        co_await put_text(session, "http://whoever.example/x", "text");
      BOOST_TEST(session.statistics().opened == 1u);
    });
    n.cancel("the test is over");
  });
  BOOST_TEST(m.requests == 20);
}

BOOST_AUTO_TEST_SUITE_END()
