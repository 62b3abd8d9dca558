// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/http/echo.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/testing/memory_stream.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <memory>
#include <string>
#include <utility>

using namespace troupe;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(echo_limits)

TROUPE_TEST_CASE(limits_and_a_stop_end_a_connection_after_what_was_read) {
  echo_options options;
  options.meter = std::make_shared<echo_meter>();
  options.byte_limit = 10;
  options.idle_limit = 60s;
  for (const int how : {1, 2, 3}) {
    auto [client, server] = testing::memory_stream_pair();
    const auto begin = current_time();
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { co_await echo(server, options); });
      buffered_reader in(client);
      if (how == 1) { // too much
        co_await client.write_all("0123456789abc");
        BOOST_TEST(co_await in.read_to_end(100) == "0123456789");
      } else if (how == 2) { // silent
        co_await client.write_all("012");
        BOOST_TEST(co_await in.read_to_end(100) == "012");
        BOOST_TEST((current_time() - begin == 60s));
      } else {
        co_await client.write_all("01234");
        co_await sleep_for(1s);
        n.stop(1h);
        BOOST_TEST(co_await in.read_to_end(100) == "01234");
        BOOST_TEST((current_time() - begin == 1s));
      }
    });
  }
  const auto counts = options.meter->statistics();
  BOOST_TEST(counts.connections == 3U);
  BOOST_TEST(counts.open == 0U);
  BOOST_TEST(counts.bytes == 18U);
}

TROUPE_TEST_CASE(a_peer_that_never_reads_is_cut_off) {
  echo_options options;
  options.meter = std::make_shared<echo_meter>();
  const http::websocket_server_options how;
  const http::websocket_client_options asking;
  for (const bool web : {false, true}) {
    auto [client, server] = testing::memory_stream_pair();
    const auto begin = current_time();
    co_await with_nursery([&, &near = client, &far = server](nursery& n) -> task<> {
      n.start_service([&]() -> task<> {
        const std::string much(1'000'000, 'x');
        if (!web) {
          const auto cut = co_await as_outcome(near.write_all(much));
          BOOST_TEST(cut.failed());
        } else {
          auto ws = co_await http::connect_websocket(
            std::make_unique<testing::memory_stream>(std::move(near)), "ws://a.example/", asking);
          co_await ws.send_binary(much);
          co_await sleep_forever();
        }
      });
      if (web)
        co_await http::websocket_session(
          far, [&](http::websocket& ws) { return http::echo(ws, options); }, how);
      else
        co_await echo(far, options);
    });
    BOOST_TEST((current_time() - begin == 30s));
  }
  BOOST_TEST(options.meter->statistics().connections == 2U);
  BOOST_TEST(options.meter->statistics().open == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
