// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/wait_all_tasks_blocked.hpp>
#include <troupe/troupe.hpp>

#include "support/stream_pair.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using troupe::testing::wait_all_tasks_blocked;
using troupe_test::read_text;
using troupe_test::with_unix_pair;

namespace {

/// Writes down what happens, and does what it is told to.
class recorder : public protocol {
public:
  std::vector<std::string> log;
  transport* t = nullptr;
  bool keep_open = false;
  std::function<void()> on_made = [] {};
  std::function<void(std::string_view)> on_data = [](std::string_view) {};

  void connection_made(transport& given) override {
    t = &given;
    log.emplace_back("made");
    on_made();
  }
  void data_received(std::span<const std::byte> data) override {
    const std::string text(reinterpret_cast<const char*>(data.data()), data.size());
    log.push_back("data " + text);
    on_data(text);
  }
  bool eof_received() override {
    log.emplace_back("eof");
    return keep_open;
  }
  void connection_lost(const std::exception_ptr& why) override {
    log.push_back(why ? "lost: " + describe(why) : "lost");
  }
  void pause_writing() override { log.emplace_back("pause"); }
  void resume_writing() override { log.emplace_back("resume"); }
};

using lines = std::vector<std::string>;

} // namespace

BOOST_AUTO_TEST_SUITE(protocols)

BOOST_AUTO_TEST_CASE(callbacks_come_in_order_and_the_other_sides_end_closes) {
  with_unix_pair([](unix_stream& client, unix_stream& server) -> task<> {
    recorder r;
    r.on_data = [&](std::string_view text) { r.t->write(text); };
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { co_await run_protocol(server, r); });
      co_await client.write_all("hello");
      BOOST_TEST(co_await read_text(client) == "hello");
      co_await client.send_eof();
      BOOST_TEST(co_await read_text(client) == "");
    });
    BOOST_TEST(r.log == (lines{"made", "data hello", "eof", "lost"}));
  });
}

BOOST_AUTO_TEST_CASE(own_direction_may_stay_open_after_the_others_end) {
  with_unix_pair([](unix_stream& client, unix_stream& server) -> task<> {
    recorder r;
    r.keep_open = true;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { co_await run_protocol(server, r); });
      co_await client.send_eof();
      co_await wait_all_tasks_blocked();
      r.t->write("still here");
      BOOST_TEST(co_await read_text(client) == "still here");
      r.t->write_eof();
      r.t->write("dropped");
      BOOST_TEST(co_await read_text(client) == "");
      r.t->close();
    });
    BOOST_TEST(r.log == (lines{"made", "eof", "lost"}));
  });
}

BOOST_AUTO_TEST_CASE(closing_writes_what_is_queued_first) {
  with_unix_pair([](unix_stream& client, unix_stream& server) -> task<> {
    recorder r;
    const std::string big(3'000'000, 'x');
    r.on_made = [&] {
      r.t->write(big);
      r.t->close();
      r.t->close();
      BOOST_TEST(r.t->is_closing());
      r.t->write("dropped");
    };
    std::size_t got = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { co_await run_protocol(server, r); });
      while (const std::size_t size = (co_await read_text(client, 65536)).size())
        got += size;
    });
    BOOST_TEST(got == big.size());
    BOOST_TEST(r.log == (lines{"made", "pause", "resume", "lost"}));
  });
}

BOOST_AUTO_TEST_CASE(aborting_drops_what_is_queued) {
  with_unix_pair([](unix_stream& client, unix_stream& server) -> task<> {
    recorder r;
    r.on_made = [&] { r.t->write(std::string(3'000'000, 'x')); };
    std::size_t got = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { co_await run_protocol(server, r); });
      co_await wait_all_tasks_blocked();
      r.t->abort();
      r.t->abort();
      co_await wait_all_tasks_blocked();
      while (const std::size_t size = (co_await read_text(client, 65536)).size())
        got += size;
    });
    BOOST_TEST(got < 3'000'000U);
    BOOST_TEST(r.log == (lines{"made", "pause", "lost"}));
    recorder at_once;
    at_once.on_made = [&] { at_once.t->abort(); };
    auto ends = unix_stream_pair();
    co_await run_protocol(ends.first, at_once);
    BOOST_TEST(at_once.log == (lines{"made", "lost"}));
  });
}

BOOST_AUTO_TEST_CASE(water_marks_pause_and_resume) {
  with_unix_pair([](unix_stream& client, unix_stream& server) -> task<> {
    recorder r;
    r.on_made = [&] {
      r.t->write_limits({.high = 10, .low = 2});
      r.t->write("0123456789");
      BOOST_TEST(r.t->queued() == 10U);
      BOOST_TEST(r.log.back() == "made");
      r.t->write("x");
      r.t->write("y");
    };
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { co_await run_protocol(server, r); });
      BOOST_TEST(co_await read_text(client) == "0123456789xy");
      co_await client.close();
    });
    BOOST_TEST(r.log == (lines{"made", "pause", "resume", "eof", "lost"}));
  });
}

BOOST_AUTO_TEST_CASE(paused_reading_leaves_data_where_it_is) {
  with_unix_pair([](unix_stream& client, unix_stream& server) -> task<> {
    recorder r;
    r.on_made = [&] { r.t->pause_reading(); };
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { co_await run_protocol(server, r); });
      co_await client.write_all("1");
      co_await wait_all_tasks_blocked();
      BOOST_TEST(r.log == lines{"made"});
      r.t->resume_reading();
      co_await wait_all_tasks_blocked();
      BOOST_TEST(r.log.back() == "data 1");
      r.t->pause_reading();
      r.t->close(); // does not hang because nobody reads
    });
    BOOST_TEST(r.log.back() == "lost");
  });
}

BOOST_AUTO_TEST_CASE(failures_are_heard_and_thrown) {
  with_unix_pair([](unix_stream& client, unix_stream& server) -> task<> {
    recorder r;
    r.on_data = [](std::string_view) { throw std::runtime_error("a bad callback"); };
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        BOOST_CHECK_THROW(co_await run_protocol(server, r), std::runtime_error);
      });
      co_await client.write_all("x");
    });
    BOOST_TEST(r.log == (lines{"made", "data x", "lost: a bad callback"}));
  });
  run([]() -> task<> {
    const listen_options loopback{.address = "127.0.0.1"};
    tcp_listener listener(0, loopback);
    tcp_stream client = co_await open_tcp_stream("127.0.0.1", listener.port());
    tcp_stream server = co_await listener.accept();
    recorder r;
    client.abort();
    BOOST_CHECK_THROW(co_await run_protocol(server, r), connection_reset);
    BOOST_TEST(r.log.back().starts_with("lost: cannot read from 127.0.0.1:"));
  });
}

BOOST_AUTO_TEST_CASE(cancelled_it_hears_of_its_end) {
  with_unix_pair([](unix_stream& client, unix_stream& server) -> task<> {
    recorder r;
    co_await with_nursery([&](nursery& n) -> task<> {
      auto running = n.start_soon([&]() -> task<> { co_await run_protocol(server, r); });
      co_await wait_all_tasks_blocked();
      running.cancel();
    });
    BOOST_TEST(r.log == (lines{"made", "lost"}));
    BOOST_TEST(co_await read_text(client) == "");
  });
}

BOOST_AUTO_TEST_SUITE_END()
