// SPDX-License-Identifier: BSD-3-Clause
// How client sessions leave servers over TLS.
#include "fake_server.hpp"
#include "support/tls_pair.hpp"

#include <troupe/testing/boost_test.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe_test;
using namespace std::chrono_literals;

namespace {

/// A server over TLS, in memory, which answers each request and writes down how its clients end.
struct secure_server {
  explicit secure_server(nursery& n) {
    how.tls = tls_client_context(troupe_test::client_options());
    how.connect = [this, &n](const http::url&) -> task<std::unique_ptr<stream>> {
      auto [here, there] = testing::memory_stream_pair();
      to_server = here.outgoing();
      n.start_soon(
        [](secure_server& self, testing::memory_stream end) -> task<> {
          co_await self.serve(std::move(end));
        },
        std::ref(*this), std::move(there));
      co_return std::make_unique<testing::memory_stream>(std::move(here));
    };
  }

  task<> serve(testing::memory_stream end) {
    tls_stream client = co_await tls_accept(std::move(end), context);
    buffered_reader in(client);
    for (;;) {
      std::string how_it_ends;
      try {
        static_cast<void>(co_await in.read_until("\r\n\r\n"));
      } catch (const tls_truncated&) {
        how_it_ends = "cut ";
      } catch (const end_of_stream&) {
        how_it_ends = "clean ";
      }
      ends += how_it_ends;
      if (!how_it_ends.empty())
        co_return;
      co_await client.write_all(reply("hello", "200 OK", more));
      if (deaf)
        co_await sleep_forever();
    }
  }

  tls_server_context context{troupe_test::server_options()};
  http::client_options how;
  std::shared_ptr<testing::memory_pipe> to_server;
  std::string more; // of each head
  std::string ends;
  bool deaf = false; // reads no more than a request
};

task<> ask(http::client_session& session) {
  auto response = co_await session.get("https://localhost/");
  BOOST_TEST(co_await response.text() == "hello");
}

/// Runs `body(server)` and ends.
task<> with_secure_server(std::function<task<>(secure_server&)> body) {
  co_await with_nursery([&](nursery& n) -> task<> {
    secure_server server(n);
    co_await body(server);
    co_await checkpoint();
    n.cancel();
  });
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_clients_over_tls)

TROUPE_TEST_CASE(idle_connection_is_closed_with_a_goodbye) {
  co_await with_secure_server([](secure_server& server) -> task<> {
    co_await http::with_client_session(server.how, [&](http::client_session& session) -> task<> {
      co_await ask(session);
      co_await sleep_for(29s);
      BOOST_TEST(server.ends.empty());
      co_await sleep_for(2s);
      BOOST_TEST(server.ends == "clean ");
      BOOST_TEST(session.statistics().connections == 0U);
    });
  });
}

TROUPE_TEST_CASE(server_that_does_not_keep_its_connection_is_left_with_a_goodbye) {
  co_await with_secure_server([](secure_server& server) -> task<> {
    server.more = "Connection: close\r\n";
    co_await http::with_client_session(server.how, [&](http::client_session& session) -> task<> {
      co_await ask(session);
      co_await sleep_for(1ms);
      BOOST_TEST(server.ends == "clean ");
      BOOST_TEST(session.statistics().connections == 0U);
      co_await ask(session);
      co_await sleep_for(1ms);
      BOOST_TEST(server.ends == "clean clean ");
    });
  });
}

TROUPE_TEST_CASE(end_of_a_session_is_said_to_all_servers) {
  co_await with_secure_server([](secure_server& server) -> task<> {
    co_await http::with_client_session(server.how, [&](http::client_session& session) -> task<> {
      co_await gather(ask(session), ask(session));
    });
    co_await sleep_for(1ms);
    BOOST_TEST(server.ends == "clean clean ");

    server.ends.clear(); // also when it is cancelled
    co_await move_on_after(1s, [&]() -> task<> {
      co_await http::with_client_session(server.how, [&](http::client_session& session) -> task<> {
        co_await ask(session);
        co_await sleep_forever();
      });
    });
    co_await sleep_for(1ms);
    BOOST_TEST(server.ends == "clean ");
  });
}

TROUPE_TEST_CASE(server_that_takes_no_goodbye_holds_nobody) {
  co_await with_secure_server([](secure_server& server) -> task<> {
    server.deaf = true;
    const auto begin = current_time();
    time_point end;
    co_await http::with_client_session(server.how, [&](http::client_session& session) -> task<> {
      co_await ask(session);
      server.to_server->capacity(0);
      co_await sleep_for(30s); // it is told, and does not listen
      co_await ask(session);
      server.to_server->capacity(0);
      end = current_time();
      BOOST_TEST((end - begin < 31s));
    });
    BOOST_TEST((current_time() - end == 1s));
  });
}

BOOST_AUTO_TEST_SUITE_END()
