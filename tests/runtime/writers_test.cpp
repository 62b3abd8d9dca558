// SPDX-License-Identifier: BSD-3-Clause
// buffered_writer and queued_writer.
#include <troupe/testing/wait_all_tasks_blocked.hpp>
#include <troupe/troupe.hpp>

#include "support/stream_pair.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace troupe;
using troupe::testing::wait_all_tasks_blocked;
using troupe_test::read_text;
using troupe_test::with_unix_pair;

namespace {

/// Reads `count` bytes.
task<std::string> read_count(stream& from, std::size_t count) {
  std::string all;
  while (all.size() < count)
    all += co_await read_text(from, count - all.size());
  co_return all;
}

} // namespace

BOOST_AUTO_TEST_SUITE(writers)

BOOST_AUTO_TEST_CASE(small_writes_are_collected) {
  with_unix_pair([](unix_stream& client, unix_stream& server) -> task<> {
    buffered_writer out(client, 10);
    co_await out.write("12345");
    co_await out.write("67890");
    BOOST_TEST(out.buffered() == "1234567890");
    BOOST_TEST(client.statistics().bytes_written == 0U);
    co_await out.write("x");
    BOOST_TEST(out.buffered() == "");
    BOOST_TEST(co_await read_text(server) == "1234567890x");
    co_await out.write(std::string(100, 'y'));
    BOOST_TEST(co_await read_text(server) == std::string(100, 'y'));
    co_await out.write("end");
    co_await out.flush();
    co_await out.flush();
    BOOST_TEST(co_await read_text(server) == "end");
  });
}

BOOST_AUTO_TEST_CASE(several_tasks_write_and_all_arrives_in_order) {
  with_unix_pair([](unix_stream& client, unix_stream& server) -> task<> {
    const water_marks marks{.high = 1000, .low = 100};
    std::string got;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        co_await with_queued_writer(client, marks, [&](queued_writer& out) -> task<> {
          co_await with_nursery([&](nursery& writers) -> task<> {
            for (const char who : {'a', 'b', 'c'})
              writers.start_soon(
                [](queued_writer& to, char c) -> task<> {
                  for (int i = 0; i < 2000; ++i)
                    co_await to.write(std::string(99, c) + "\n");
                },
                std::ref(out), who);
            co_return;
          });
        });
        co_await client.send_eof();
      });
      buffered_reader in(server);
      std::size_t lines = 0;
      while (auto line = co_await in.read_line()) {
        BOOST_REQUIRE(*line == std::string(99, line->front())); // what one call adds stays together
        ++lines;
      }
      BOOST_TEST(lines == 6000U);
    });
  });
}

BOOST_AUTO_TEST_CASE(full_queue_makes_writers_wait_and_says_no_to_others) {
  with_unix_pair([](unix_stream& client, unix_stream& server) -> task<> {
    const water_marks marks{.high = 1'000'000, .low = 1000};
    const std::string big(2'000'000, 'x'); // more than the kernel keeps
    co_await with_queued_writer(client, marks, [&](queued_writer& out) -> task<> {
      BOOST_TEST(out.try_write(big));
      BOOST_TEST(out.full());
      BOOST_TEST(!out.try_write("no"));
      bool written = false;
      co_await with_nursery([&](nursery& n) -> task<> {
        auto waits = n.start_soon([&]() -> task<> {
          co_await out.write("1");
          written = true;
        });
        auto gives_up = n.start_soon([&]() -> task<> { co_await out.write("never"); });
        co_await wait_all_tasks_blocked();
        BOOST_TEST(!written);
        gives_up.cancel();
        co_await wait_all_tasks_blocked();
        BOOST_TEST(out.size() == big.size());
        BOOST_TEST((co_await read_count(server, big.size())).size() == big.size());
        co_await waits;
      });
      BOOST_TEST(!out.full());
      co_await out.flush();
      BOOST_TEST(out.size() == 0U);
      BOOST_TEST(out.try_write("2"));
    });
    BOOST_TEST(co_await read_count(server, 2) == "12"); // with the end of the body all is written
  });
}

BOOST_AUTO_TEST_CASE(failed_write_ends_the_body) {
  with_unix_pair([](unix_stream& client, unix_stream& server) -> task<> {
    co_await server.close();
    BOOST_CHECK_THROW(co_await with_queued_writer(client,
                                                  [&](queued_writer& out) -> task<> {
                                                    co_await out.write("x");
                                                    co_await sleep_forever();
                                                  }),
                      broken_pipe);
  });
}

BOOST_AUTO_TEST_CASE(body_that_fails_or_is_cancelled_ends_it) {
  with_unix_pair([](unix_stream& client, unix_stream&) -> task<> {
    BOOST_CHECK_THROW(co_await with_queued_writer(client,
                                                  [](queued_writer& out) -> task<> {
                                                    co_await out.write("x");
                                                    throw std::runtime_error("as planned");
                                                  }),
                      std::runtime_error);
    const std::string big(10'000'000, 'x');
    co_await with_nursery([&](nursery& n) -> task<> {
      auto writing = n.start_soon([&]() -> task<> {
        co_await with_queued_writer(client,
                                    [&](queued_writer& out) -> task<> { co_await out.write(big); });
      });
      co_await wait_all_tasks_blocked();
      BOOST_TEST(!writing.done());
      writing.cancel();
    });
  });
}

BOOST_AUTO_TEST_CASE(body_gives_its_value_and_late_writes_are_refused) {
  with_unix_pair([](unix_stream& client, unix_stream& server) -> task<> {
    const int seven = co_await with_queued_writer(client, [](queued_writer& out) -> task<int> {
      co_await out.write("x");
      co_return 7;
    });
    BOOST_TEST(seven == 7);
    BOOST_TEST(co_await read_text(server) == "x");
    queued_writer closed(client, water_marks());
    closed.close();
    BOOST_CHECK_THROW(closed.try_write("x"), usage_error);
  });
}

BOOST_AUTO_TEST_SUITE_END()
