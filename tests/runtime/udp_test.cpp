// SPDX-License-Identifier: BSD-3-Clause
#include "support/loopback.hpp"

#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <type_traits>
#include <unordered_set>
#include <vector>

using namespace troupe;
using troupe_test::localhost;

static_assert(std::is_nothrow_move_constructible_v<udp_socket>);
static_assert(!std::is_copy_constructible_v<udp_socket>);

namespace {

task<std::string> receive_text(datagram_socket& from, std::size_t at_most = 100) {
  std::string text(at_most, '\0');
  const datagram d = co_await from.receive(std::as_writable_bytes(std::span(text)));
  text.resize(d.size);
  co_return text;
}

} // namespace

BOOST_AUTO_TEST_SUITE(datagrams)

BOOST_AUTO_TEST_CASE(datagrams_go_there_and_back) {
  run([]() -> task<> {
    udp_socket server(0, localhost);
    udp_socket client(0, localhost);
    const socket_address to = server.local_address();
    co_await client.send_to(to, "hello");
    co_await client.send_to(to, "");
    std::array<std::byte, 3> small{};
    datagram got = co_await server.receive(small);
    BOOST_TEST(got.size == 3U);
    BOOST_TEST(got.truncated);
    BOOST_TEST((got.from == client.local_address()));
    got = co_await server.receive(small);
    BOOST_TEST(got.size == 0U);
    BOOST_TEST(!got.truncated);
    co_await server.send_to(got.from, "back");
    BOOST_TEST(co_await receive_text(client) == "back");
  });
}

BOOST_AUTO_TEST_CASE(connected_socket_hears_its_peer_alone_and_that_nobody_is_there) {
  run([]() -> task<> {
    udp_socket server(0, localhost);
    udp_socket stranger(0, localhost);
    udp_socket client(server.local_address());
    co_await client.send("1");
    std::array<std::byte, 10> buffer{};
    const datagram d = co_await server.receive(buffer);
    co_await stranger.send_to(d.from, "nobody hears this");
    co_await server.send_to(d.from, "answer");
    BOOST_TEST(co_await receive_text(client) == "answer");
    server.close();
    co_await client.send("2");
    try {
      co_await receive_text(client);
      BOOST_ERROR("nobody is there");
    } catch (const connection_refused& e) {
      BOOST_TEST(std::string(e.what()).starts_with("cannot receive on 127.0.0.1:"));
    }
  });
}

BOOST_AUTO_TEST_CASE(errors_name_the_address) {
  run([]() -> task<> {
    udp_socket one(0, localhost);
    try {
      udp_socket two(one.port(), localhost);
      BOOST_ERROR("twice");
    } catch (const address_in_use& e) {
      BOOST_TEST(e.what()
                 == "cannot receive datagrams on " + one.local() + ": Address already in use");
    }
    const std::vector<std::byte> big(70'000);
    BOOST_CHECK_THROW(co_await one.send_to(one.local_address(), big), message_too_long);
    BOOST_CHECK_THROW(udp_socket(0, "no address"), net_error);
    BOOST_CHECK_THROW(udp_socket(0, "192.0.2.1"), address_not_available);
    BOOST_CHECK_THROW(udp_socket::adopt(::socket(AF_INET, SOCK_STREAM, 0)), net_error);
    one.close();
    BOOST_CHECK_THROW(co_await receive_text(one), stream_closed);
  });
}

BOOST_AUTO_TEST_CASE(p03_cancelled_receive_has_taken_nothing) {
  run([]() -> task<> {
    udp_socket server(0, localhost);
    udp_socket client(server.local_address());
    co_await with_nursery([&](nursery& n) -> task<> {
      auto waiting = n.start_soon(receive_text, std::ref(server), 100);
      co_await checkpoint();
      co_await checkpoint();
      BOOST_CHECK_THROW(co_await receive_text(server), usage_error);
      waiting.cancel();
    });
    co_await client.send("kept");
    co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      s.cancel();
      co_await receive_text(server);
      BOOST_ERROR("came back");
    });
    BOOST_TEST(co_await receive_text(server) == "kept");
  });
}

BOOST_AUTO_TEST_CASE(closing_wakes_the_one_who_waits) {
  run([]() -> task<> {
    udp_socket s(0, localhost);
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { BOOST_CHECK_THROW(co_await receive_text(s), stream_closed); });
      co_await checkpoint();
      co_await checkpoint();
      s.close();
    });
  });
}

BOOST_AUTO_TEST_CASE(unix_datagrams_wait_for_room_and_get_lost_nowhere) {
  run([]() -> task<> {
    const std::string name = "@troupe datagrams " + std::to_string(::getpid());
    unix_datagram_socket server(name);
    unix_datagram_socket client;
    const auto to = socket_address::unix_path(name);
    constexpr int count = 1000; // more than the system keeps
    int got = 0;
    client.connect(to);
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        for (int i = 0; i < count; ++i)
          co_await client.send(std::to_string(i));
      });
      for (; got < count; ++got)
        BOOST_TEST(co_await receive_text(server) == std::to_string(got));
    });
    BOOST_CHECK_THROW(unix_datagram_socket{name}, address_in_use);
  });
}

BOOST_AUTO_TEST_CASE(group_hears_what_is_sent_to_it) {
  run([]() -> task<> {
    udp_socket member(0);
    try {
      member.join(socket_address("239.255.7.7", 0), localhost);
    } catch (const net_error& e) {
      BOOST_TEST_MESSAGE("no multicast here: " << e.what());
      co_return;
    }
    BOOST_CHECK_THROW(member.join(socket_address(localhost, 0), localhost), net_error);
  });
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(socket_addresses)

BOOST_AUTO_TEST_CASE(text_says_where_it_is) {
  BOOST_TEST(socket_address("127.0.0.1", 80).text() == "127.0.0.1:80");
  BOOST_TEST(socket_address("::1", 80).text() == "[::1]:80");
  BOOST_TEST(socket_address("::ffff:10.0.0.1", 80).text() == "10.0.0.1:80");
  BOOST_TEST(socket_address("fe80::1%lo", 80).text() == "[fe80::1%lo]:80");
  BOOST_TEST(socket_address::any_ipv6(7).text() == "[::]:7");
  BOOST_TEST(socket_address::any_ipv4(7).text() == "0.0.0.0:7");
  BOOST_TEST(socket_address::unix_path("/run/x").text() == "/run/x");
  BOOST_TEST(socket_address::unix_path("@x").text() == "@x");
  BOOST_TEST(socket_address().text() == "nowhere");
  BOOST_TEST(socket_address("10.0.0.1", 80).with_port(81).port() == 81);
  BOOST_TEST(socket_address::unix_path("/run/x").port() == 0);
}

BOOST_AUTO_TEST_CASE(what_is_no_address_is_named) {
  for (const char* wrong : {"", "localhost", "1.2.3.4.5", "::1::", "127.0.0.1 "})
    try {
      static_cast<void>(socket_address(wrong, 1));
      BOOST_ERROR(wrong);
    } catch (const net_error& e) {
      BOOST_TEST(e.what()
                 == std::string("cannot use ") + wrong
                      + " (not a numeric address): Invalid argument");
    }
  BOOST_CHECK_THROW(static_cast<void>(socket_address::unix_path("")), net_error);
  BOOST_CHECK_THROW(static_cast<void>(socket_address::unix_path(std::string(200, 'x'))), net_error);
}

BOOST_AUTO_TEST_CASE(addresses_are_values) {
  const socket_address a("127.0.0.1", 80);
  BOOST_TEST((a == socket_address("127.0.0.1", 80)));
  BOOST_TEST((a != a.with_port(81)));
  BOOST_TEST((a < a.with_port(81) || a.with_port(81) < a));
  const std::unordered_set<socket_address> set{a, a.with_port(81), a};
  BOOST_TEST(set.size() == 2U);
}

BOOST_AUTO_TEST_SUITE_END()
