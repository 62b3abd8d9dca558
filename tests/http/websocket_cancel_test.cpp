// SPDX-License-Identifier: BSD-3-Clause
// WebSockets that are cancelled, and peers that stop.
#include "websocket_pair.hpp"

#include <troupe/testing/boost_test.hpp>
#include <troupe/testing/injection.hpp>
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

/// All that there is, once.
task<> converse(bool deflate) {
  auto ends = co_await open_ends_that(deflate);
  for (auto& pipe : {ends.to_server, ends.to_client}) {
    pipe->capacity(300);
    pipe->piece(200);
    pipe->before_read = pipe->before_write = []() -> task<> { co_await checkpoint(); };
  }
  std::string big;
  for (int i = 0; i < 2000; ++i)
    big += static_cast<char>('a' + i * i % 26);
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      for (;;) {
        const auto m = co_await ends.server->receive();
        if (!m)
          break;
        co_await ends.server->send(*m);
      }
      co_await ends.server->close();
    });
    co_await ends.client->send_text("one");
    co_await ends.client->ping("two");
    co_await ends.client->send_text(big);
    BOOST_TEST((co_await ends.client->receive())->data == "one");
    BOOST_TEST((co_await ends.client->receive())->data.size() == big.size());
    co_await ends.client->close();
  });
}

} // namespace

BOOST_AUTO_TEST_SUITE(websocket_cancellation)

BOOST_AUTO_TEST_CASE(p24_websockets_are_cut_off_at_each_checkpoint) {
  for (const bool deflate : {false, true})
    for (const auto how : {testing::cut::scope, testing::cut::task, testing::cut::sibling}) {
      testing::checkpoint_options options;
      options.how = how;
      const auto nothing = [](const testing::injection&) {};
      const std::size_t points =
        testing::for_each_checkpoint([&]() { return converse(deflate); }, nothing, options);
      BOOST_TEST(points > 20U);
    }
}

TROUPE_TEST_CASE(a_cancelled_receive_loses_nothing) {
  auto ends = co_await open_ends();
  ends.to_server->piece(3);
  ends.to_server->before_read = []() -> task<> { co_await sleep_for(1ms); };
  constexpr int count = 100;
  int got = 0, cancelled = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      for (int i = 0; i < count; ++i) {
        co_await ends.client->ping("p");
        const std::string m = "message " + std::to_string(i);
        co_await ends.client->send_text(m);
      }
    });
    while (got < count) {
      const auto m = co_await move_on_after(
        2500us, [&]() -> task<std::optional<websocket_message>> { return ends.server->receive(); });
      if (m)
        BOOST_TEST((*m)->data == "message " + std::to_string(got++));
      else
        ++cancelled;
    }
  });
  BOOST_TEST(cancelled > 100);
  const auto pongs = ends.to_client->bytes();
  BOOST_TEST(pongs.size() == count * 3U); // each answered, all whole
  for (std::size_t i = 0; i < pongs.size(); i += 3)
    BOOST_TEST(pongs.substr(i, 3) == "\x8A\x01p");
}

TROUPE_TEST_CASE(a_receive_is_cancelled_while_it_answers_and_the_answer_is_whole) {
  auto ends = co_await open_ends();
  ends.to_client->capacity(4);
  ends.to_server->put(client_frame(0x89, "0123456789"));
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      const auto begin = current_time();
      const auto m = co_await move_on_after(
        1s, [&]() -> task<std::optional<websocket_message>> { return ends.server->receive(); });
      BOOST_TEST(!m);
      BOOST_TEST((current_time() - begin == 2s)); // when the answer was out
    });
    co_await sleep_for(2s);
    ends.to_client->capacity(1000);
  });
  BOOST_TEST(ends.to_client->bytes()
             == "\x8A\x0A"
                "0123456789");
  co_await ends.server->send_text("fine");
  BOOST_TEST((co_await ends.client->receive())->data == "fine");
}

TROUPE_TEST_CASE(a_send_that_is_cancelled_in_the_middle_leaves_only_receiving) {
  auto ends = co_await open_ends();
  ends.to_server->capacity(100);
  const std::string big(1000, 'x');
  const bool sent =
    co_await move_on_after(1s, [&]() -> task<> { co_await ends.client->send_text(big); });
  BOOST_TEST(!sent);
  BOOST_CHECK_THROW(co_await ends.client->send_text("more"), websocket_closed);
  BOOST_CHECK_THROW(co_await ends.client->ping(), websocket_closed);
  co_await ends.server->send_text("still here?");
  BOOST_TEST((co_await ends.client->receive())->data == "still here?");
  const auto begin = current_time();
  co_await ends.client->close(); // no goodbye can be said
  BOOST_TEST((current_time() - begin == 0s));
  BOOST_CHECK_THROW(co_await ends.server->receive(), websocket_closed);
}

TROUPE_TEST_CASE(a_send_that_is_cancelled_before_has_not_happened) {
  auto ends = co_await open_ends();
  const auto written = ends.to_server->written();
  co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
    s.cancel();
    co_await ends.client->send_text("never");
  });
  BOOST_TEST(ends.to_server->written() == written);
  co_await ends.client->send_text("but this");
  BOOST_TEST((co_await ends.server->receive())->data == "but this");
}

TROUPE_TEST_CASE(a_send_that_waits_for_another_one_can_be_cancelled) {
  auto ends = co_await open_ends(100U);
  const std::string big(1000, 'x');
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> { co_await ends.client->send_text(big); });
    co_await checkpoint();
    const bool sent =
      co_await move_on_after(1s, [&]() -> task<> { co_await ends.client->send_text("never"); });
    BOOST_TEST(!sent);
    BOOST_TEST((co_await ends.server->receive())->data == big);
  });
  co_await ends.client->send_text("after");
  BOOST_TEST((co_await ends.server->receive())->data == "after");
}

TROUPE_TEST_CASE(a_cancelled_close_cuts_off) {
  auto ends = co_await open_ends();
  const bool closed =
    co_await move_on_after(1s, [&]() -> task<> { co_await ends.client->close(); });
  BOOST_TEST(!closed);
  BOOST_TEST(ends.to_server->closed() == false);
  BOOST_CHECK_THROW(co_await ends.server->receive(), net_error);
}

TROUPE_TEST_CASE(one_that_is_destroyed_or_aborted_ends_those_who_wait) {
  for (const bool abort : {false, true}) {
    auto ends = co_await open_ends(100U);
    const std::string big(1000, 'x');
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon(
        [&]() -> task<> { BOOST_CHECK_THROW(co_await ends.client->receive(), stream_closed); });
      n.start_soon([&]() -> task<> {
        BOOST_CHECK_THROW(co_await ends.client->send_text(big), stream_closed);
      });
      n.start_soon([&]() -> task<> {
        BOOST_CHECK_THROW(co_await ends.client->send_text("behind it"), net_error);
      });
      co_await sleep_for(1s);
      BOOST_CHECK_THROW(co_await ends.client->receive(), usage_error);
      if (abort)
        ends.client->abort();
      else
        ends.client.reset();
    });
  }
}

BOOST_AUTO_TEST_SUITE_END()
