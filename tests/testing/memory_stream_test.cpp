// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/check_stream.hpp>
#include <troupe/testing/memory_listener.hpp>
#include <troupe/testing/memory_stream.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/testing/wait_all_tasks_blocked.hpp>
#include <troupe/troupe.hpp>

#include "support/stream_pair.hpp"

#include <boost/test/unit_test.hpp>

#include <optional>
#include <string>
#include <type_traits>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using troupe_test::read_text;

static_assert(!std::is_copy_constructible_v<memory_stream>);
static_assert(std::is_nothrow_move_constructible_v<memory_stream>);
static_assert(std::is_nothrow_move_assignable_v<memory_stream>);

BOOST_AUTO_TEST_SUITE(memory_streams)

BOOST_AUTO_TEST_CASE(write_waits_while_the_buffer_is_full) {
  run_virtually([]() -> task<> {
    memory_stream_options options;
    options.capacity = 4;
    auto [client, server] = memory_stream_pair(options);
    co_await with_nursery([&](nursery& n) -> task<> {
      auto writer = n.start_soon([&]() -> task<> { co_await client.write_all("abcdefg"); });
      co_await wait_all_tasks_blocked();
      BOOST_TEST(!writer.done());
      BOOST_TEST(client.outgoing()->bytes() == "abcd");
      BOOST_TEST(co_await read_text(server, 2) == "ab");
      BOOST_TEST(client.outgoing()->bytes() == "cdef");
      BOOST_TEST(co_await read_text(server) == "cdef");
      co_await wait_all_tasks_blocked();
      BOOST_TEST(writer.done());
      BOOST_TEST(co_await read_text(server) == "g");
    });
    BOOST_TEST(client.outgoing()->written() == 7U);
  });
}

BOOST_AUTO_TEST_CASE(lockstep_write_ends_when_all_was_read) {
  run_virtually([]() -> task<> {
    auto [client, server] = lockstep_stream_pair();
    co_await with_nursery([&](nursery& n) -> task<> {
      auto writer = n.start_soon([&]() -> task<> { co_await client.write_all("abc"); });
      co_await wait_all_tasks_blocked();
      BOOST_TEST(co_await read_text(server, 2) == "ab");
      co_await wait_all_tasks_blocked();
      BOOST_TEST(!writer.done());
      BOOST_TEST(co_await read_text(server, 2) == "c");
      co_await wait_all_tasks_blocked();
      BOOST_TEST(writer.done());
    });
    // what a cancelled write has not handed over is not sent
    co_await with_nursery([&](nursery& n) -> task<> {
      auto writer = n.start_soon([&]() -> task<> { co_await client.write_all("abc"); });
      co_await wait_all_tasks_blocked();
      BOOST_TEST(co_await read_text(server, 1) == "a");
      writer.cancel();
      co_await wait_all_tasks_blocked();
      n.start_soon([&]() -> task<> { co_await client.write_all("x"); });
      BOOST_TEST(co_await read_text(server) == "x");
    });
    BOOST_TEST(client.statistics().bytes_written == 5U);
  });
}

BOOST_AUTO_TEST_CASE(test_says_what_goes_wrong) {
  run_virtually([]() -> task<> {
    auto [client, server] = memory_stream_pair();
    memory_pipe& wire = *client.outgoing();
    wire.piece(1);
    co_await client.write_all("ab");
    BOOST_TEST(co_await read_text(server) == "a");
    BOOST_TEST(co_await read_text(server) == "b");
    wire.piece(100);
    co_await client.write_all("pay 100");
    std::string changed(wire.bytes());
    changed[4] = '9';
    wire.bytes(changed);
    wire.put(" now");
    BOOST_TEST(co_await read_text(server) == "pay 900 now");
    wire.end();
    BOOST_TEST(co_await read_text(server) == "");
    BOOST_CHECK_THROW(co_await client.write_all("x"), broken_pipe);
    client.incoming()->reset();
    BOOST_CHECK_THROW(co_await read_text(client), connection_reset);
    BOOST_CHECK_THROW(co_await server.write_all("x"), connection_reset);
  });
}

BOOST_AUTO_TEST_CASE(hooks_are_awaited_before_each_call) {
  run_virtually([]() -> task<> {
    auto [client, server] = memory_stream_pair();
    int reads = 0;
    server.incoming()->before_read = [&]() -> task<> {
      ++reads;
      co_await sleep_for(1s);
    };
    client.outgoing()->before_write = [&]() -> task<> {
      co_await checkpoint();
      throw std::runtime_error("the write fails");
    };
    BOOST_CHECK_THROW(co_await client.write_all("x"), std::runtime_error);
    client.outgoing()->before_write = {};
    co_await client.write_all("ab");
    const auto begin = current_time();
    BOOST_TEST(co_await read_text(server, 1) == "a");
    BOOST_TEST(co_await read_text(server) == "b");
    BOOST_TEST(reads == 2);
    BOOST_TEST((current_time() - begin == 2s));
    co_await with_nursery([&](nursery& n) -> task<> { // in the hook, too, it is the one reader
      n.start_soon([&]() -> task<> { static_cast<void>(co_await read_text(server)); });
      co_await wait_all_tasks_blocked();
      BOOST_CHECK_THROW(co_await read_text(server), usage_error);
      n.cancel();
    });
  });
}

BOOST_AUTO_TEST_CASE(streams_have_names_and_statistics) {
  run_virtually([]() -> task<> {
    memory_stream_options options;
    options.first = "anna";
    options.second = "bert";
    auto [anna, bert] = memory_stream_pair(options);
    BOOST_TEST(anna.peer() == "bert");
    BOOST_TEST(anna.local() == "anna");
    BOOST_TEST(bert.peer() == "anna");
    co_await sleep_for(1s);
    co_await anna.write_all("abc");
    co_await read_text(bert);
    BOOST_TEST((bert.statistics().last_read - bert.statistics().opened == 1s));
    BOOST_TEST((bert.statistics().last_written == bert.statistics().opened));
    co_await anna.close();
    BOOST_TEST(anna.local() == "closed");
    try {
      co_await anna.write_all("x");
      BOOST_ERROR("it was written");
    } catch (const stream_closed& e) {
      BOOST_TEST(e.what() == "cannot write to bert: Bad file descriptor");
    }
  });
}

BOOST_AUTO_TEST_CASE(other_loops_are_sent_away) {
  const run_options two{.loops = 2};
  run(two, []() -> task<> {
    auto [client, server] = memory_stream_pair();
    memory_listener listener;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_on(
        1,
        [](memory_stream& s, memory_listener& l) -> task<> {
          BOOST_CHECK_THROW(co_await s.write_all("x"), usage_error);
          BOOST_CHECK_THROW(co_await read_text(s), usage_error);
          BOOST_CHECK_THROW(co_await s.send_eof(), usage_error);
          BOOST_CHECK_THROW(co_await s.close(), usage_error);
          BOOST_CHECK_THROW(co_await l.accept(), usage_error);
          BOOST_CHECK_THROW(co_await l.connect(), usage_error);
        },
        std::ref(client), std::ref(listener));
      co_return;
    });
  });
}

BOOST_AUTO_TEST_CASE(moved_stream_is_of_no_use) {
  run_virtually([]() -> task<> {
    auto [client, server] = memory_stream_pair();
    memory_stream other = std::move(client);
    BOOST_CHECK_THROW(co_await client.write_all("x"), usage_error); // NOLINT
    BOOST_TEST(client.peer() == "closed");
    co_await other.write_all("x");
    BOOST_TEST(co_await read_text(server) == "x");
  });
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(memory_listeners)

BOOST_AUTO_TEST_CASE(service_takes_streams_without_a_port) {
  run_virtually([]() -> task<> {
    memory_listener listener;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_service([&]() -> task<> {
        for (;;)
          n.start_soon([](memory_stream s) -> task<> { co_await troupe_test::echo(s); },
                       co_await listener.accept());
      });
      auto one = co_await listener.connect();
      auto other = co_await listener.connect();
      BOOST_TEST(one.peer() == "memory listener");
      BOOST_TEST(other.local() == "client 2 of memory listener");
      co_await other.write_all("b");
      co_await one.write_all("a");
      BOOST_TEST(co_await read_text(one) == "a");
      BOOST_TEST(co_await read_text(other) == "b");
      co_await one.close();
      co_await other.close();
    });
  });
}

BOOST_AUTO_TEST_CASE(full_backlog_makes_clients_wait) {
  run_virtually([]() -> task<> {
    memory_listener_options options;
    options.backlog = 1;
    memory_listener listener(options);
    auto first = co_await listener.connect();
    co_await with_nursery([&](nursery& n) -> task<> {
      auto second = n.start_soon([&]() -> task<> { co_await listener.connect(); });
      co_await wait_all_tasks_blocked();
      BOOST_TEST(!second.done());
      const auto server = co_await listener.accept();
      co_await second;
    });
  });
}

BOOST_AUTO_TEST_CASE(closed_listener_refuses) {
  run_virtually([]() -> task<> {
    memory_listener listener;
    auto unaccepted = co_await listener.connect();
    co_await with_nursery([&](nursery& n) -> task<> {
      auto accepted = co_await listener.accept();
      n.start_soon(
        [&]() -> task<> { BOOST_CHECK_THROW(co_await listener.accept(), stream_closed); });
      co_await wait_all_tasks_blocked();
      BOOST_CHECK_THROW(co_await listener.accept(), usage_error);
      listener.close();
      listener.close();
      BOOST_TEST(listener.local() == "closed");
    });
    BOOST_CHECK_THROW(co_await listener.connect(), connection_refused);
    BOOST_CHECK_THROW(co_await listener.accept(), stream_closed);
  });
  run_virtually([]() -> task<> {
    std::optional<memory_listener> listener(std::in_place);
    auto unaccepted = co_await listener->connect();
    listener.reset();
    BOOST_CHECK_THROW(co_await read_text(unaccepted), connection_reset);
  });
}

BOOST_AUTO_TEST_SUITE_END()
