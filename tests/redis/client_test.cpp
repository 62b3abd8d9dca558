// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/outcome.hpp>
#include <troupe/redis/client.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/testing/network.hpp>
#include <troupe/testing/wait_all_tasks_blocked.hpp>
#include <troupe/troupe.hpp>

#include "support/redis_server.hpp"
#include "wired.hpp"

#include <boost/test/unit_test.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using testing::wait_all_tasks_blocked;
using troupe_test::redis_server;
using troupe_test::wired;
using troupe_test::with_redis;

namespace {

/// Enough of a server for tests: answers "echo X" by X.
task<> serve_echo(stream& peer) {
  buffered_reader in(peer);
  for (;;) {
    const auto head = co_await in.read_line(); // *2
    if (!head)
      co_return;
    for (int i = 0; i < 3; ++i)
      static_cast<void>(co_await in.read_line());
    const auto text = co_await in.read_line();
    co_await peer.write_all("+" + *text + "\r\n");
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(redis_clients)

TROUPE_TEST_CASE(commands_go_out_together_and_replies_find_those_who_asked) {
  auto [db, other] = wired();
  co_await with_client(std::move(db), [&](redis::client& shared) -> task<> {
    std::string order;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 3; ++i)
        n.start_soon([&, i]() -> task<> {
          const auto r = co_await shared.command("get", i);
          BOOST_TEST(r.get<int>() == i * 10);
          order += std::to_string(i);
        });
      co_await wait_all_tasks_blocked();
      BOOST_TEST(other.incoming()->bytes().size()
                 == 3 * std::string("*2\r\n$3\r\nget\r\n$1\r\n0\r\n").size());
      BOOST_TEST(shared.pending() == 3U);
      other.outgoing()->put(":0\r\n:1");
      co_await wait_all_tasks_blocked();
      BOOST_TEST(order == "0");
      other.outgoing()->put("0\r\n:20\r\n");
    });
    BOOST_TEST(order == "012");
    BOOST_TEST(shared.pending() == 0U);
  });
}

TROUPE_TEST_CASE(who_is_cancelled_disturbs_nobody) {
  auto [db, other] = wired();
  co_await with_client(std::move(db), [&](redis::client& shared) -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      const auto first =
        n.start_soon([&]() -> task<int> { co_return (co_await shared.command("a")).get<int>(); });
      const auto second = n.start_soon([&]() -> task<> {
        redis::batch b;
        b.add("b").add("c");
        static_cast<void>(co_await shared.run(std::move(b)));
      });
      const auto third =
        n.start_soon([&]() -> task<int> { co_return (co_await shared.command("d")).get<int>(); });
      co_await wait_all_tasks_blocked();
      other.outgoing()->put(":1\r\n:2\r\n");
      co_await wait_all_tasks_blocked();
      second.cancel(); // with one of its two replies
      co_await wait_all_tasks_blocked();
      other.outgoing()->put(":3\r\n:4\r\n");
      BOOST_TEST(co_await first == 1);
      BOOST_TEST(co_await third == 4);
    });
  });
}

TROUPE_TEST_CASE(when_the_connection_fails_all_hear_of_it) {
  auto [db, other] = wired();
  co_await with_client(std::move(db), [&](redis::client& shared) -> task<> {
    int told = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 3; ++i)
        n.start_soon([&]() -> task<> {
          const auto lost = co_await as_outcome(shared.command("get", "x"));
          BOOST_CHECK_THROW(std::rethrow_exception(lost.error()), end_of_stream);
          ++told;
        });
      co_await wait_all_tasks_blocked();
      co_await other.send_eof();
    });
    BOOST_TEST(told == 3);
    const auto after = co_await as_outcome(shared.command("get", "x"));
    BOOST_CHECK_THROW(std::rethrow_exception(after.error()), end_of_stream);
  });
}

TROUPE_TEST_CASE(a_reply_that_nobody_asked_for_is_an_error) {
  auto [db, other] = wired();
  co_await with_client(std::move(db), [&](redis::client& shared) -> task<> {
    other.outgoing()->put("+surprise\r\n");
    co_await wait_all_tasks_blocked();
    const auto after = co_await as_outcome(shared.command("get", "x"));
    BOOST_CHECK_THROW(std::rethrow_exception(after.error()), redis::protocol_error);
  });
}

TROUPE_TEST_CASE(a_server_that_is_slow_holds_back_who_asks_too_much) {
  auto [db, other] = wired();
  redis::client_options options;
  options.max_pending = 2;
  co_await with_client(std::move(db), options, [&](redis::client& shared) -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      std::vector<task_handle<void>> asking;
      for (int i = 0; i < 5; ++i)
        asking.push_back(
          n.start_soon([&]() -> task<> { static_cast<void>(co_await shared.command("x")); }));
      co_await wait_all_tasks_blocked();
      BOOST_TEST(shared.pending() == 2U);
      asking[0].cancel(); // its reply is missing all the same
      co_await wait_all_tasks_blocked();
      BOOST_TEST(shared.pending() == 2U);
      other.outgoing()->put(":1\r\n");
      co_await wait_all_tasks_blocked();
      BOOST_TEST(shared.pending() == 2U);
      other.outgoing()->put(":2\r\n:3\r\n");
      co_await wait_all_tasks_blocked();
      BOOST_TEST(shared.pending() == 2U);
      other.outgoing()->put(":4\r\n:5\r\n");
    });
    BOOST_TEST(shared.pending() == 0U);
  });
}

BOOST_AUTO_TEST_CASE(runs_on_a_simulated_network_and_sees_it_partitioned) {
  testing::simulated_network net;
  net.add_host("server");
  net.add_host("client");
  testing::virtual_clock time;
  run_options options;
  options.loops = 1;
  options.time = &time;
  options.network = &net;
  run(options, [&]() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_service([&]() -> task<> {
        co_await net.on("server", []() -> task<> {
          const tcp_handler handler = [](tcp_stream& peer) { return serve_echo(peer); };
          co_await serve_tcp(handler, 6379);
        });
      });
      co_await net.on("client", [&]() -> task<> {
        auto db = co_await redis::open_connection("redis://server");
        co_await with_client(std::move(db), [&](redis::client& shared) -> task<> {
          const auto begin = current_time();
          const auto replies =
            co_await gather(shared.command("echo", "a"), shared.command("echo", "b"));
          BOOST_TEST(std::get<1>(replies).text() == "b");
          BOOST_TEST((current_time() - begin == 2ms)); // there and back, for both
          net.partition("client", "server");
          const bool answered = co_await move_on_after(
            10s, [&]() -> task<> { static_cast<void>(co_await shared.command("echo", "c")); });
          BOOST_TEST(!answered);
          net.heal("client", "server");
          const auto d = co_await shared.command("echo", "d");
          BOOST_TEST(d.text() == "d");
        });
      });
    });
  });
}

TROUPE_TEST_CASE(a_thousand_tasks_share_a_real_server, .virtual_time = false) {
  co_await with_redis([](redis_server& server) -> task<> {
    auto db = co_await redis::open_connection(server.path());
    co_await with_client(std::move(db), [&](redis::client& shared) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        for (int i = 0; i < 1000; ++i)
          n.start_soon([&, i]() -> task<> {
            const std::string key = "key " + std::to_string(i % 100);
            static_cast<void>(co_await shared.command("incrby", key, i));
            co_await move_on_after(std::chrono::microseconds(i), [&]() -> task<> {
              static_cast<void>(co_await shared.command("get", key));
            });
          });
        co_return;
      });
      const auto r = co_await shared.command("get", "key 7");
      BOOST_TEST(r.get<int>() == 7 * 10 + 100 * 45);
    });
  });
}

BOOST_AUTO_TEST_SUITE_END()
