// SPDX-License-Identifier: BSD-3-Clause
#include "support/stream_pair.hpp"
#include "support/tls_pair.hpp"

#include <troupe/testing/wait_all_tasks_blocked.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <chrono>
#include <string>
#include <type_traits>

using namespace troupe;
using namespace troupe_test;
using namespace std::chrono_literals;
using troupe::testing::wait_all_tasks_blocked;

static_assert(std::is_base_of_v<stream, tls_stream>);
static_assert(std::is_nothrow_move_constructible_v<tls_stream>);
static_assert(!std::is_copy_constructible_v<tls_stream>);
static_assert(std::is_base_of_v<net_error, tls_error>);

namespace {

/// Not to be told from noise by a wrong order of blocks.
std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  unsigned state = 1;
  for (char& c : text) {
    state = state * 1664525U + 1013904223U;
    c = static_cast<char>(state >> 24);
  }
  return text;
}

task<> write_in_pieces(stream& to, const std::string& text, std::size_t piece) {
  for (std::size_t at = 0; at < text.size(); at += piece)
    co_await to.write_all(std::string_view(text).substr(at, piece));
  co_await to.send_eof();
}

} // namespace

BOOST_AUTO_TEST_SUITE(tls)

BOOST_AUTO_TEST_CASE(hands_are_shaken_and_bytes_go_both_ways) {
  with_tls_pair([](tls_pair& p) -> task<> {
    BOOST_TEST(p.client->version() == "TLSv1.3");
    BOOST_TEST(p.client->cipher() == "TLS_AES_128_GCM_SHA256");
    BOOST_TEST(p.client->peer() == "the server");
    BOOST_TEST(p.client->local() == "the client");
    BOOST_TEST(p.server->server_name() == "localhost");
    BOOST_TEST(p.client->peer_verified());
    BOOST_TEST(!p.server->peer_verified());
    BOOST_TEST(!p.server->peer_certificate().has_value());
    const auto shown = p.client->peer_certificate();
    BOOST_REQUIRE(shown.has_value());
    BOOST_TEST(shown->subject == "CN=server,O=troupe");
    BOOST_TEST(shown->issuer == "CN=troupe test authority");
    BOOST_TEST((shown->names == std::vector<std::string>{"localhost", "127.0.0.1", "::1"}));
    BOOST_TEST(shown->sha256.size() == 64U);
    BOOST_TEST((shown->not_after > std::chrono::system_clock::now()));

    co_await p.client->write_all("ping");
    BOOST_TEST(co_await read_text(*p.server) == "ping");
    co_await p.server->write_all("pong");
    BOOST_TEST(co_await read_text(*p.client) == "pong");
    co_await p.client->write_all("");
    // in a buffer that is too small for ciphertext
    co_await p.client->write_all("small");
    BOOST_TEST(co_await read_text(*p.server, 3) == "sma");
    BOOST_TEST(co_await read_text(*p.server, 3) == "ll");
  });
}

BOOST_AUTO_TEST_CASE(works_over_tcp_by_value) {
  run([]() -> task<> {
    const tls_client_context c(client_options());
    const tls_server_context s(server_options());
    const listen_options loopback{.address = "127.0.0.1"};
    tcp_listener listener(0, loopback);
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        tcp_stream accepted = co_await listener.accept();
        tls_stream peer = co_await tls_accept(std::move(accepted), s);
        co_await echo(peer);
        co_await peer.close();
      });
      tls_stream client = co_await open_tls_stream("127.0.0.1", listener.port(), c);
      co_await client.write_all("hello");
      BOOST_TEST(co_await read_text(client) == "hello");
      BOOST_TEST(client.peer() == "127.0.0.1:" + std::to_string(listener.port()));
      co_await client.close();
    });
  });
}

BOOST_AUTO_TEST_CASE(p19_much_goes_both_ways_at_once_and_arrives_as_it_was) {
  for (const std::size_t piece : {std::size_t{1} << 20, std::size_t{1000}, std::size_t{7}})
    with_tls_pair([&](tls_pair& p) -> task<> {
      const std::string text = pattern(piece == 7 ? 100'000 : 3'000'000);
      p.wire.to_client->piece(piece);
      p.wire.to_server->piece(piece);
      std::string at_client, at_server;
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon(write_in_pieces, std::ref(*p.client), text, 300'000);
        n.start_soon(write_in_pieces, std::ref(*p.server), text, 1234);
        n.start_soon([&]() -> task<> { at_client = co_await read_all(*p.client, 100'000); });
        n.start_soon([&]() -> task<> { at_server = co_await read_all(*p.server, 300); });
        co_return;
      });
      BOOST_TEST((at_client == text));
      BOOST_TEST((at_server == text));
    });
}

BOOST_AUTO_TEST_CASE(half_close_ends_one_direction) {
  with_tls_pair([](tls_pair& p) -> task<> {
    co_await p.client->write_all("question");
    co_await p.client->send_eof();
    co_await p.client->send_eof();
    BOOST_TEST(co_await read_all(*p.server) == "question");
    BOOST_TEST(co_await read_text(*p.server) == "");
    co_await p.server->write_all("answer");
    BOOST_TEST(co_await read_text(*p.client) == "answer");
    BOOST_CHECK_THROW(co_await p.client->write_all("more"), broken_pipe);
    co_await p.server->send_eof();
    BOOST_TEST(co_await read_text(*p.client) == "");
    BOOST_TEST(co_await read_text(*p.client) == "");
  });
}

BOOST_AUTO_TEST_CASE(parts_are_written_as_one_and_bytes_are_counted) {
  with_tls_pair([](tls_pair& p) -> task<> {
    const std::string head = "head: ", body = pattern(200'000), none;
    const std::array<std::span<const std::byte>, 3> parts = {std::as_bytes(std::span(head)),
                                                             std::as_bytes(std::span(none)),
                                                             std::as_bytes(std::span(body))};
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        co_await p.client->write_all(parts);
        co_await p.client->send_eof();
      });
      BOOST_TEST((co_await read_all(*p.server) == head + body));
    });
    BOOST_TEST(p.client->statistics().bytes_written == head.size() + body.size());
    BOOST_TEST(p.server->statistics().bytes_read == head.size() + body.size());
    BOOST_TEST(p.server->statistics().bytes_written == 0U);
  });
}

BOOST_AUTO_TEST_CASE(two_readers_or_two_writers_are_a_mistake) {
  with_tls_pair([](tls_pair& p) -> task<> {
    BOOST_CHECK_THROW(co_await p.client->read_some({}), usage_error);
    p.wire.to_server->capacity(10);
    const std::string much(100'000, 'x');
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { co_await read_text(*p.client); });
      n.start_soon([&]() -> task<> { co_await p.client->write_all(much); });
      co_await wait_all_tasks_blocked();
      BOOST_CHECK_THROW(co_await read_text(*p.client), usage_error);
      BOOST_CHECK_THROW(co_await p.client->write_all("x"), usage_error);
      BOOST_CHECK_THROW(co_await p.client->send_eof(), usage_error);
      n.cancel();
    });
  });
}

BOOST_AUTO_TEST_CASE(a_moved_stream_says_so) {
  with_tls_pair([](tls_pair& p) -> task<> {
    tls_stream taken = std::move(*p.client);
    BOOST_CHECK_THROW(co_await p.client->write_all("x"), usage_error);
    BOOST_TEST(p.client->peer() == "closed");
    BOOST_TEST(p.client->alpn() == "");
    co_await p.client->close();
    co_await taken.write_all("x");
    BOOST_TEST(co_await read_text(*p.server) == "x");
  });
}

BOOST_AUTO_TEST_CASE(belongs_to_its_loop) {
  run(run_options{.loops = 2}, []() -> task<> {
    tls_pair p;
    co_await p.shake_hands(tls_client_context(client_options()),
                           tls_server_context(server_options()));
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_on(
        1,
        [](tls_stream* s) -> task<> {
          BOOST_CHECK_THROW(co_await s->write_all("x"), usage_error);
          BOOST_CHECK_THROW(co_await read_text(*s), usage_error);
          BOOST_CHECK_THROW(co_await s->close(), usage_error);
        },
        &*p.client);
      co_return;
    });
  });
}

BOOST_AUTO_TEST_CASE(tls_over_tls_is_a_stream_as_any) {
  with_tls_pair([](tls_pair& outer) -> task<> {
    const tls_client_context c(client_options());
    const tls_server_context s(server_options("other"));
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        tls_stream inner = co_await tls_accept(std::move(*outer.server), s);
        co_await echo(inner);
        co_await inner.close();
      });
      tls_stream inner = co_await tls_connect(std::move(*outer.client), "other.example", c);
      co_await inner.write_all("deep");
      BOOST_TEST(co_await read_text(inner) == "deep");
      co_await inner.close();
    });
  });
}

BOOST_AUTO_TEST_SUITE_END()
