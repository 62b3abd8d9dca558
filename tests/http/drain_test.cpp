// SPDX-License-Identifier: BSD-3-Clause
#include "served.hpp"

#include <troupe/http/access_log.hpp>
#include <troupe/testing/network.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using troupe_test::get;
using troupe_test::served;

namespace {

task<> slow(http::request&, http::response& rs) {
  co_await sleep_for(10s);
  rs.body = "done";
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_drain)

BOOST_AUTO_TEST_CASE(soft_stop_finishes_what_is_under_way_and_closes_idle_connections) {
  simulated_network net;
  net.add_host("server");
  net.add_host("client");
  virtual_clock time;
  run_options how;
  how.loops = 1;
  how.time = &time;
  how.network = &net;
  run(how, [&]() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      http::server_options options;
      options.serve.drain_limit = 60s;
      auto server = n.start_soon([&]() -> task<> {
        co_await net.on("server", [&]() -> task<> { co_await http::serve(slow, 80, options); });
      });
      co_await net.on("client", [&]() -> task<> {
        tcp_stream idle = co_await open_tcp_stream("server", 80);
        tcp_stream busy = co_await open_tcp_stream("server", 80);
        co_await busy.write_all(get + get);
        co_await sleep_for(1s);
        const auto begin = current_time();
        server.cancel();
        BOOST_TEST((co_await served::rest_of(idle)).empty());
        BOOST_TEST((current_time() - begin < 1s));
        const std::string got = co_await served::rest_of(busy);
        BOOST_TEST(got.ends_with("Connection: close\r\n\r\ndone"));
        BOOST_TEST(got.find("HTTP/1.1", 1) == got.npos); // the second was not begun
        BOOST_TEST((current_time() - begin > 8s && current_time() - begin < 12s));
        BOOST_CHECK_THROW(co_await open_tcp_stream("server", 80), connection_refused);
      });
    });
  });
}

BOOST_AUTO_TEST_CASE(answer_to_who_waits_for_the_stop_says_that_the_connection_ends) {
  served s([](http::request&, http::response& rs) -> task<> {
    co_await stopping();
    rs.body = "bye";
  });
  run_virtually([&]() -> task<> {
    auto [here, there] = memory_stream_pair();
    co_await here.write_all(get);
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() { return http::serve_connection(there, s.answer, s.options); });
      co_await sleep_for(1s);
      n.stop(1h);
      const std::string got = co_await served::rest_of(here);
      BOOST_TEST(got.find("Connection: close\r\n") != got.npos);
      BOOST_TEST(got.ends_with("bye"));
    });
  });
}

BOOST_AUTO_TEST_CASE(cancelled_connection_is_logged_and_cut_off) {
  served s(slow);
  run_virtually([&]() -> task<> {
    auto [here, there] = memory_stream_pair();
    co_await here.write_all(get);
    const bool ended = co_await move_on_after(
      1s, [&]() -> task<> { co_await http::serve_connection(there, s.answer, s.options); });
    BOOST_TEST(!ended);
  });
  BOOST_REQUIRE(s.log.size() == 1U);
  BOOST_TEST(s.log[0] == "GET / 0 cut");
}

BOOST_AUTO_TEST_CASE(access_record_is_a_line_of_json) {
  http::access_record r;
  r.time = std::chrono::system_clock::time_point(1'795'273'445'678ms);
  r.peer = "127.0.0.1:50412";
  r.method = "GET";
  r.target = "/\"a\\b\xff\xc3\xbc\n";
  r.status = 200;
  r.bytes_in = 1;
  r.bytes_out = 2;
  r.took = 1500us;
  r.user_agent = "x";
  BOOST_TEST(http::to_json(r)
             == "{\"time\":\"2026-11-21T15:04:05.678Z\",\"peer\":\"127.0.0.1:50412\","
                "\"method\":\"GET\",\"target\":\"/\\\"a\\\\b\\ufffd\xc3\xbc\\u000a\","
                "\"version\":\"HTTP/1.1\",\"status\":200,\"complete\":true,\"bytes_in\":1,"
                "\"bytes_out\":2,\"took\":0.001500,\"user_agent\":\"x\",\"referer\":\"\"}");
}

BOOST_AUTO_TEST_SUITE_END()
