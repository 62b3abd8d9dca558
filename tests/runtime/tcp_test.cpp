// SPDX-License-Identifier: BSD-3-Clause
#include "support/loopback.hpp"
#include "support/stream_pair.hpp"

#include <troupe/testing/virtual_clock.hpp>
#include <troupe/testing/wait_all_tasks_blocked.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::wait_all_tasks_blocked;
using troupe_test::echo;
using troupe_test::loopback;
using troupe_test::read_text;

static_assert(!std::is_copy_constructible_v<tcp_stream>);
static_assert(std::is_nothrow_move_constructible_v<tcp_stream>);
static_assert(std::is_base_of_v<stream, tcp_stream>);
static_assert(std::is_base_of_v<std::system_error, connection_refused>);

namespace {

using pair_body = std::function<task<>(tcp_stream&, tcp_stream&)>;

/// Runs `body` with the two ends of a connection.
void with_pair(pair_body body) {
  run([&]() -> task<> {
    tcp_listener listener(0, loopback);
    tcp_stream client = co_await open_tcp_stream("127.0.0.1", listener.port());
    tcp_stream server = co_await listener.accept();
    co_await body(client, server);
  });
}

} // namespace

BOOST_AUTO_TEST_SUITE(tcp)

BOOST_AUTO_TEST_CASE(bytes_go_both_ways_and_eof_ends_one) {
  with_pair([](tcp_stream& client, tcp_stream& server) -> task<> {
    BOOST_TEST(client.peer() == server.local());
    BOOST_TEST(client.local() == server.peer());
    co_await client.write_all("ping");
    BOOST_TEST(co_await read_text(server) == "ping");
    co_await client.send_eof();
    BOOST_TEST(co_await read_text(server) == "");
    BOOST_TEST(co_await read_text(server) == "");
    co_await server.write_all("pong");
    BOOST_TEST(co_await read_text(client) == "pong");
    co_await server.close();
    BOOST_TEST(co_await read_text(client) == "");
  });
}

BOOST_AUTO_TEST_CASE(p03_cancelled_read_has_read_nothing) {
  with_pair([](tcp_stream& client, tcp_stream& server) -> task<> {
    // before the start
    co_await client.write_all("one");
    const bool ended = co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      s.cancel();
      co_await read_text(server);
      BOOST_ERROR("the read came back");
    });
    BOOST_TEST(!ended);
    BOOST_TEST(co_await read_text(server) == "one");
    // while it waits, again and again, on the same socket
    for (int i = 0; i < 3; ++i)
      co_await with_nursery([&](nursery& n) -> task<> {
        auto reader = n.start_soon(read_text, std::ref(server), 100);
        co_await checkpoint();
        co_await checkpoint();
        reader.cancel();
      });
    co_await client.write_all("two");
    BOOST_TEST(co_await read_text(server) == "two");
  });
}

BOOST_AUTO_TEST_CASE(p03_cancelled_accept_has_taken_nobody) {
  run([]() -> task<> {
    tcp_listener listener(0, loopback);
    co_await with_nursery([&](nursery& n) -> task<> {
      auto waiting = n.start_soon([&]() -> task<> { co_await listener.accept(); });
      co_await checkpoint();
      co_await checkpoint();
      waiting.cancel();
    });
    tcp_stream client = co_await open_tcp_stream("127.0.0.1", listener.port());
    co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      s.cancel();
      co_await listener.accept();
      BOOST_ERROR("the accept came back");
    });
    tcp_stream server = co_await listener.accept();
    BOOST_TEST(server.peer() == client.local());
  });
}

BOOST_AUTO_TEST_CASE(cancelling_the_read_leaves_a_waiting_write_alone) {
  with_pair([](tcp_stream& client, tcp_stream& server) -> task<> {
    const std::string big(8'000'000, 'x'); // more than the kernel keeps
    co_await with_nursery([&](nursery& n) -> task<> {
      auto writer = n.start_soon([&]() -> task<> { co_await client.write_all(big); });
      auto reader = n.start_soon(read_text, std::ref(client), 100);
      co_await wait_all_tasks_blocked();
      BOOST_TEST(!writer.done());
      reader.cancel();
      std::size_t got = 0;
      while (got < big.size())
        got += (co_await read_text(server, 65536)).size();
      co_await writer;
      BOOST_TEST(got == big.size());
    });
  });
}

BOOST_AUTO_TEST_CASE(p03_cancelled_write_can_have_written_a_part) {
  with_pair([](tcp_stream& client, tcp_stream& server) -> task<> {
    const std::string big(8'000'000, 'x');
    co_await with_nursery([&](nursery& n) -> task<> {
      auto writer = n.start_soon([&]() -> task<> { co_await client.write_all(big); });
      co_await checkpoint();
      co_await checkpoint();
      BOOST_TEST(!writer.done());
      writer.cancel();
    });
    co_await client.close();
    std::size_t got = 0;
    while (const std::size_t n = (co_await read_text(server, 65536)).size())
      got += n;
    BOOST_TEST(got > 0U);
    BOOST_TEST(got < big.size());
  });
}

BOOST_AUTO_TEST_CASE(refused_connection_names_the_address) {
  run([]() -> task<> {
    std::uint16_t port = 0;
    {
      tcp_listener listener(0, loopback);
      port = listener.port();
    }
    try {
      co_await open_tcp_stream("127.0.0.1", port);
      BOOST_ERROR("connected");
    } catch (const connection_refused& e) {
      const std::string where = "127.0.0.1:" + std::to_string(port);
      BOOST_TEST(e.address() == where);
      BOOST_TEST(e.what() == "cannot connect to " + where + ": Connection refused");
    }
  });
}

BOOST_AUTO_TEST_CASE(taken_port_is_named) {
  run([]() -> task<> {
    tcp_listener first(0, loopback);
    try {
      tcp_listener second(first.port(), loopback);
      BOOST_ERROR("listening twice");
    } catch (const address_in_use& e) {
      BOOST_TEST(e.what() == "cannot listen on " + first.local() + ": Address already in use");
    }
    co_return;
  });
}

BOOST_AUTO_TEST_CASE(unknown_host_is_named) {
  run([]() -> task<> {
    try {
      connect_options options;
      options.resolve.attempt_limit = 1s; // there may be no name server here
      options.resolve.attempts = 1;
      co_await open_tcp_stream("no such host", 1, options);
      BOOST_ERROR("connected");
    } catch (const name_not_found& e) {
      BOOST_TEST(std::string(e.what()).starts_with("cannot find no such host: "));
    }
  });
}

BOOST_AUTO_TEST_CASE(name_is_looked_up_and_the_look_up_can_be_cancelled) {
  run([]() -> task<> {
    tcp_listener listener(0);
    tcp_stream client = co_await open_tcp_stream("localhost", listener.port());
    co_await with_nursery([&](nursery& n) -> task<> {
      auto looking =
        n.start_soon([&]() -> task<> { co_await open_tcp_stream("localhost", listener.port()); });
      co_await checkpoint();
      looking.cancel();
    });
  });
}

BOOST_AUTO_TEST_CASE(reset_and_broken_pipe_have_their_types) {
  with_pair([](tcp_stream& client, tcp_stream& server) -> task<> {
    client.abort();
    BOOST_CHECK_THROW(co_await read_text(server), connection_reset);
    BOOST_CHECK_THROW(co_await server.write_all("x"), broken_pipe);
  });
}

BOOST_AUTO_TEST_CASE(closing_wakes_the_one_who_waits) {
  with_pair([](tcp_stream& client, tcp_stream& server) -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon(
        [&]() -> task<> { BOOST_CHECK_THROW(co_await read_text(server), stream_closed); });
      co_await checkpoint();
      co_await checkpoint();
      co_await server.close();
      co_await server.close();
    });
    BOOST_CHECK_THROW(co_await read_text(server), stream_closed);
    BOOST_TEST(co_await read_text(client) == "");
  });
}

BOOST_AUTO_TEST_CASE(misuse_is_an_error) {
  with_pair([](tcp_stream&, tcp_stream& server) -> task<> {
    BOOST_CHECK_THROW(co_await server.read_some({}), usage_error);
    co_await with_nursery([&](nursery& n) -> task<> {
      auto first = n.start_soon(read_text, std::ref(server), 100);
      co_await checkpoint();
      co_await checkpoint();
      BOOST_CHECK_THROW(co_await read_text(server), usage_error);
      first.cancel();
    });
  });
}

BOOST_AUTO_TEST_CASE(stream_is_for_its_own_loop) {
  run(run_options{.loops = 2}, []() -> task<> {
    tcp_listener listener(0, loopback);
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_on(
        1, [](tcp_listener* l) -> task<> { BOOST_CHECK_THROW(co_await l->accept(), usage_error); },
        &listener);
      co_return;
    });
    tcp_stream client = co_await open_tcp_stream("127.0.0.1", listener.port());
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_on(
        1, [](tcp_stream* s) -> task<> { BOOST_CHECK_THROW(co_await s->close(), usage_error); },
        &client);
      co_return;
    });
  });
}

BOOST_AUTO_TEST_CASE(buffered_reader_splits_limits_and_loses_nothing) {
  with_pair([](tcp_stream& client, tcp_stream& server) -> task<> {
    buffered_reader lines(server, 5);
    co_await client.write_all("a\r\n\nfghij\r\nhal");
    BOOST_TEST(*co_await lines.read_line() == "a");
    BOOST_TEST(*co_await lines.read_line() == "");
    BOOST_TEST(*co_await lines.read_line() == "fghij");
    co_await with_nursery([&](nursery& n) -> task<> {
      auto waiting = n.start_soon([&]() -> task<> { co_await lines.read_line(); });
      co_await checkpoint();
      co_await checkpoint();
      waiting.cancel();
    });
    BOOST_TEST(lines.buffered() == "hal");
    co_await client.write_all("f\ntoo long\nend");
    BOOST_TEST(*co_await lines.read_line() == "half");
    for (int i = 0; i < 2; ++i) {
      try {
        co_await lines.read_line();
        BOOST_ERROR("a line beyond the limit");
      } catch (const limit_overrun& e) {
        BOOST_TEST(e.limit() == 5U);
        BOOST_TEST(e.what() == "troupe: a line is longer than the limit of 5 bytes");
      }
    }
    BOOST_TEST(co_await lines.skip_line());
    co_await client.close();
    BOOST_TEST(*co_await lines.read_line() == "end");
    BOOST_TEST(!(co_await lines.read_line()).has_value());
    BOOST_TEST(!co_await lines.skip_line());
  });
}

BOOST_AUTO_TEST_CASE(server_outlives_a_handler_that_throws_and_reports_it_once) {
  run([]() -> task<> {
    tcp_listener listener(0, loopback);
    const auto port = listener.port();
    std::vector<std::string> reports;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        serve_options options;
        options.on_failure = [&](const std::exception_ptr&, std::string_view name) {
          reports.emplace_back(name);
        };
        auto handler = [](tcp_stream& s) -> task<> {
          if (co_await read_text(s) == "throw")
            throw std::runtime_error("as asked");
          co_await echo(s);
        };
        co_await serve_listener(handler, std::move(listener), options);
      });
      tcp_stream bad = co_await open_tcp_stream("127.0.0.1", port);
      const std::string name = "connection from " + bad.local();
      co_await bad.write_all("throw");
      BOOST_TEST(co_await read_text(bad) == "");
      tcp_stream leaver = co_await open_tcp_stream("127.0.0.1", port);
      co_await leaver.write_all("in mid-");
      leaver.abort();
      tcp_stream good = co_await open_tcp_stream("127.0.0.1", port);
      co_await good.write_all("start");
      co_await good.write_all("hello");
      BOOST_TEST(reports == std::vector<std::string>(1, name));
      n.cancel();
    });
  });
}

BOOST_AUTO_TEST_CASE(connection_limit_makes_the_next_one_wait) {
  troupe::testing::run_virtually([]() -> task<> {
    tcp_listener listener(0, loopback);
    const auto port = listener.port();
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        serve_options options;
        options.connection_limit = 1;
        co_await serve_listener(echo, std::move(listener), options);
      });
      auto first = std::make_optional(co_await open_tcp_stream("127.0.0.1", port));
      co_await first->write_all("1");
      BOOST_TEST(co_await read_text(*first) == "1");
      tcp_stream second = co_await open_tcp_stream("127.0.0.1", port);
      co_await second.write_all("2");
      BOOST_TEST(!co_await move_on_after(20ms, [&] { return read_text(second); }));
      first.reset();
      BOOST_TEST(co_await read_text(second) == "2");
      n.cancel();
    });
  });
}

BOOST_AUTO_TEST_CASE(soft_stop_lets_connections_end) {
  run([]() -> task<> {
    tcp_listener listener(0, loopback);
    const auto port = listener.port();
    std::optional<tcp_stream> client;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { co_await serve_listener(echo, std::move(listener)); });
      client.emplace(co_await open_tcp_stream("127.0.0.1", port));
      co_await client->write_all("1");
      BOOST_TEST(co_await read_text(*client) == "1");
      n.stop(1h);
      while (true) { // until nobody listens any more
        try {
          tcp_stream late = co_await open_tcp_stream("127.0.0.1", port);
        } catch (const net_error&) {
          break;
        }
      }
      co_await client->write_all("2");
      BOOST_TEST(co_await read_text(*client) == "2");
      co_await client->close();
    });
  });
}

BOOST_AUTO_TEST_SUITE_END()
