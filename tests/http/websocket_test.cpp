// SPDX-License-Identifier: BSD-3-Clause
#include "websocket_pair.hpp"

#include <troupe/testing/boost_test.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

using namespace troupe;
using namespace troupe::http;
using namespace std::chrono_literals;
using troupe_test::client_frame;
using troupe_test::open_ends;
using troupe_test::open_ends_that;

namespace {

std::string of_size(std::size_t size) {
  std::string words;
  while (words.size() < size)
    words += "grüße " + std::to_string(words.size()) + " ";
  words.resize(size, '.');
  while (!is_utf8(words))
    words.pop_back();
  words.resize(size, '.');
  return words;
}

/// Both close, and all is well.
task<> close_both(websocket& one, websocket& other) {
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> { co_await one.close(); });
    const auto nothing = co_await other.receive();
    BOOST_TEST(!nothing);
    co_await other.close();
  });
}

} // namespace

BOOST_AUTO_TEST_SUITE(websockets)

TROUPE_TEST_CASE(messages_go_both_ways) {
  auto ends = co_await open_ends();
  co_await ends.client->send_text("hello");
  co_await ends.client->send_binary(std::string_view("\0\xFF", 2));
  const auto first = co_await ends.server->receive();
  BOOST_TEST(first->data == "hello");
  BOOST_TEST(first->is_text());
  const auto second = co_await ends.server->receive();
  BOOST_TEST(second->data == std::string_view("\0\xFF", 2));
  BOOST_TEST(!second->is_text());
  co_await ends.server->send(*first);
  BOOST_TEST((co_await ends.client->receive())->data == "hello");
  BOOST_TEST(ends.server->request().target == "/chat?room=1");
  BOOST_TEST(ends.server->statistics().messages_received == 2U);
  BOOST_TEST(ends.client->statistics().messages_sent == 2U);
  co_await close_both(*ends.client, *ends.server);
}

TROUPE_TEST_CASE(messages_of_all_sizes_come_as_they_went) {
  for (const bool deflate : {false, true}) {
    auto ends = co_await open_ends_that(deflate);
    BOOST_TEST(ends.client->deflates() == deflate);
    BOOST_TEST(ends.server->deflates() == deflate);
    for (const std::size_t size :
         {0U, 1U, 125U, 126U, 127U, 255U, 256U, 4095U, 4096U, 4097U, 65535U, 65536U, 1000000U}) {
      const std::string text = of_size(size);
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([&]() -> task<> {
          co_await ends.client->send_text(text);
          BOOST_TEST(((co_await ends.client->receive())->data == text), size);
        });
        const auto m = co_await ends.server->receive();
        BOOST_TEST((m->data == text), size);
        co_await ends.server->send(*m);
      });
    }
    if (deflate)
      BOOST_TEST(ends.to_server->written() < 1'000'000U);
    co_await close_both(*ends.server, *ends.client);
  }
}

TROUPE_TEST_CASE(bytes_come_one_by_one) {
  auto ends = co_await open_ends_that(true);
  ends.to_server->piece(1);
  ends.to_client->piece(1);
  const std::string text = of_size(3000);
  co_await ends.client->send_text(text);
  co_await ends.client->send_text("äöü");
  BOOST_TEST(((co_await ends.server->receive())->data == text));
  BOOST_TEST((co_await ends.server->receive())->data == "äöü");
  co_await close_both(*ends.client, *ends.server);
}

TROUPE_TEST_CASE(a_ping_is_answered_by_the_one_who_receives) {
  auto ends = co_await open_ends();
  co_await ends.client->ping("are you there?");
  co_await ends.client->send_text("x");
  co_await ends.server->receive();
  BOOST_TEST(ends.to_client->bytes()
             == "\x8A\x0E"
                "are you there?");
  co_await ends.server->send_text("y");
  BOOST_TEST((co_await ends.client->receive())->data == "y");
  BOOST_CHECK_THROW(co_await ends.client->ping(std::string(126, 'x')), usage_error);
  co_await close_both(*ends.client, *ends.server);
}

TROUPE_TEST_CASE(a_message_can_be_received_in_pieces) {
  auto ends = co_await open_ends();
  ends.to_server->put(client_frame(0x01, "Gr\xC3"));
  const std::string many(200, 'x');
  bool last = false;
  std::string all;
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      const auto begin = co_await ends.server->receive_piece();
      BOOST_TEST(begin->data == "Gr"); // not cut in a character
      BOOST_TEST(!begin->last);
      BOOST_CHECK_THROW(co_await ends.server->receive(), usage_error);
      while (!last) {
        const auto p = co_await ends.server->receive_piece();
        BOOST_TEST((p->kind == message_kind::text));
        all += p->data;
        last = p->last;
      }
    });
    co_await sleep_for(1s);
    ends.to_server->put(client_frame(0x00, "\xBC\xC3\x9F"));
    co_await sleep_for(1s);
    ends.to_server->put(client_frame(0x89, "between"));
    ends.to_server->put(client_frame(0x80, many));
  });
  BOOST_TEST(all == "üß" + many);
  co_await ends.client->send_text("whole again");
  BOOST_TEST((co_await ends.server->receive())->data == "whole again");
}

TROUPE_TEST_CASE(what_is_no_utf_8_is_not_sent_as_text) {
  auto ends = co_await open_ends();
  const auto written = ends.to_server->written();
  BOOST_CHECK_THROW(co_await ends.client->send_text("\xC0\xAF"), std::invalid_argument);
  BOOST_CHECK_THROW(co_await ends.client->send_text("half \xC3"), std::invalid_argument);
  BOOST_TEST(ends.to_server->written() == written);
  BOOST_TEST(is_utf8("\xF0\x9F\x8E\xAD"));
  BOOST_TEST(!is_utf8("\xED\xA0\x80"));     // a surrogate
  BOOST_TEST(!is_utf8("\xF4\x90\x80\x80")); // behind U+10FFFF
}

TROUPE_TEST_CASE(closing_says_code_and_reason) {
  auto ends = co_await open_ends();
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> { co_await ends.client->close(4001, "no, you don't"); });
    try {
      co_await ends.server->receive();
      BOOST_ERROR("it did not throw");
    } catch (const websocket_closed& e) {
      BOOST_TEST(e.code() == 4001);
      BOOST_TEST(e.reason() == "no, you don't");
      BOOST_TEST(e.by_peer());
      BOOST_TEST(std::string(e.what()).find("with 4001: no, you don't") != std::string::npos);
    }
    BOOST_CHECK_THROW(co_await ends.server->receive(), websocket_closed); // again
    BOOST_CHECK_THROW(co_await ends.server->send_text("x"), websocket_closed);
    co_await ends.server->close();
  });
  const auto nothing = co_await ends.client->receive();
  BOOST_TEST(!nothing);
  BOOST_CHECK_THROW(co_await ends.client->send_text("x"), websocket_closed);
  BOOST_CHECK_THROW(co_await ends.client->close(1005), usage_error);
  BOOST_CHECK_THROW(co_await ends.client->close(2000), usage_error);
  BOOST_CHECK_THROW(co_await ends.client->close(1000, std::string(124, 'x')), usage_error);
}

TROUPE_TEST_CASE(closing_while_another_task_receives_gives_it_nothing) {
  auto ends = co_await open_ends();
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      const auto m = co_await ends.client->receive();
      BOOST_TEST(!m);
    });
    co_await sleep_for(1s);
    n.start_soon([&]() -> task<> { co_await ends.client->close(); });
    n.start_soon([&]() -> task<> {
      co_await sleep_for(1ms);
      const auto m = co_await ends.client->receive(); // closing: it waits, and gets nothing
      BOOST_TEST(!m);
    });
    co_await ends.server->send_text("too late");
    const auto m = co_await ends.server->receive();
    BOOST_TEST(!m);
  });
}

TROUPE_TEST_CASE(closing_does_not_wait_for_ever) {
  auto ends = co_await open_ends();
  const auto begin = current_time();
  co_await ends.client->close(); // the server does not receive
  BOOST_TEST((current_time() - begin == 5s));
  BOOST_CHECK_THROW(co_await ends.server->receive(), connection_reset);
}

TROUPE_TEST_CASE(closing_both_at_once_works) {
  auto ends = co_await open_ends();
  const auto begin = current_time();
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> { co_await ends.client->close(1000); });
    n.start_soon([&]() -> task<> { co_await ends.server->close(1001); });
    co_return;
  });
  BOOST_TEST((current_time() - begin == 0s));
}

TROUPE_TEST_CASE(an_end_without_goodbye_is_abnormal) {
  for (const bool in_message : {false, true}) {
    auto ends = co_await open_ends();
    if (in_message)
      ends.to_server->put(client_frame(0x01, "to be continued"));
    ends.client.reset();
    try {
      co_await ends.server->receive();
      BOOST_ERROR("it did not throw");
    } catch (const websocket_closed& e) {
      BOOST_TEST(e.code() == close_code::abnormal);
      BOOST_TEST(e.reason().empty() == !in_message);
    }
    co_await ends.server->close();
  }
}

TROUPE_TEST_CASE(a_peer_that_is_silent_is_asked_and_then_given_up) {
  websocket_server_options server;
  server.socket.keepalive = heartbeat_options{.interval = 10s, .limit = 30s};
  auto ends = co_await open_ends(server);
  const auto begin = current_time();
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> { // answers pings for a while
      const bool in_time = co_await move_on_after(
        100s, [&]() -> task<> { static_cast<void>(co_await ends.client->receive()); });
      BOOST_TEST(!in_time);
    });
    BOOST_CHECK_THROW(co_await ends.server->receive(), connection_timeout);
  });
  const auto lasted = current_time() - begin;
  BOOST_TEST((lasted >= 120s && lasted <= 140s), lasted / 1s);
  co_await ends.server->close();
  BOOST_TEST((current_time() - begin - lasted <= 5s));
}

TROUPE_TEST_CASE(a_peer_that_does_not_read_the_answers_is_given_up) {
  auto ends = co_await open_ends();
  ends.to_client->capacity(8);
  ends.to_server->put(client_frame(0x89, "a ping whose answer does not fit"));
  const auto begin = current_time();
  BOOST_CHECK_THROW(co_await ends.server->receive(), connection_timeout);
  BOOST_TEST((current_time() - begin == 5s));
  BOOST_CHECK_THROW(co_await ends.server->send_text("x"), connection_timeout);
}

TROUPE_TEST_CASE(many_tasks_send_and_messages_stay_whole) {
  auto ends = co_await open_ends(100U); // all sends wait
  constexpr int senders = 10, each = 20;
  std::vector<int> got(senders, 0);
  co_await with_nursery([&](nursery& n) -> task<> {
    for (int i = 0; i < senders; ++i)
      n.start_soon(
        [&](int me) -> task<> {
          for (int k = 0; k < each; ++k) {
            const std::string text =
              std::string(300, static_cast<char>('a' + me)) + std::to_string(k);
            co_await ends.client->send_text(text);
          }
        },
        i);
    n.start_soon([&]() -> task<> {
      for (int k = 0; k < each / 2; ++k)
        co_await ends.client->ping("p");
    });
    for (int k = 0; k < senders * each; ++k) {
      const auto m = co_await ends.server->receive();
      const auto who = static_cast<std::size_t>(m->data[0] - 'a');
      const std::string expected = std::string(300, m->data[0]) + std::to_string(got.at(who)++);
      BOOST_TEST(m->data == expected);
    }
    n.start_soon([&]() -> task<> { // the pongs
      const auto m = co_await ends.client->receive();
      BOOST_TEST(!m);
    });
    co_await ends.server->close();
  });
}

BOOST_AUTO_TEST_SUITE_END()
