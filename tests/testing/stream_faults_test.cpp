// SPDX-License-Identifier: BSD-3-Clause
#include "support/contains.hpp"

#include <troupe/testing/memory_stream.hpp>
#include <troupe/testing/network.hpp>
#include <troupe/testing/simulation.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using troupe_test::contains;

namespace {

/// What a reader has heard.
struct heard {
  std::string bytes;
  std::vector<std::size_t> pieces;
  std::string error;
  duration last{};
};

task<> listen_to(stream& s, heard& to) {
  std::vector<std::byte> buffer(100);
  try {
    for (;;) {
      const std::size_t n = co_await s.read_some(buffer);
      if (n == 0)
        co_return;
      to.bytes.append(reinterpret_cast<const char*>(buffer.data()), n);
      to.pieces.push_back(n);
      to.last = current_time().time_since_epoch();
    }
  } catch (const net_error& e) {
    to.error = e.code().message();
  }
}

/// Says "hello ", and "world" a second later.
task<> say(stream& s, std::string& error) {
  try {
    co_await s.write_all("hello ");
    co_await sleep_for(1s);
    co_await s.write_all("world");
    co_await s.send_eof();
  } catch (const net_error& e) {
    error = e.code().message();
  }
}

struct talk {
  heard reader;
  std::string writer_error;
};

task<talk> in_memory() {
  talk t;
  auto [client, server] = memory_stream_pair();
  co_await with_nursery([&, &c = client, &s = server](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> { co_await say(c, t.writer_error); });
    n.start_soon([&]() -> task<> { co_await listen_to(s, t.reader); });
    co_return;
  });
  co_return t;
}

const std::string memory_name = "the client > the server";
const std::string network_name = "client:* > server:80";

simulation_result<talk> over_memory(const std::vector<fault>& plan) {
  simulation_options o;
  o.faults = plan;
  return simulate(1, in_memory, o);
}

simulation_result<talk> over_network(const std::vector<fault>& plan) {
  simulated_network net;
  net.add_host("client");
  net.add_host("server");
  simulation_options o;
  o.faults = plan;
  o.network = &net;
  return simulate(
    1,
    [&net]() -> task<talk> {
      talk t;
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([&]() -> task<> {
          co_await net.on("server", [&]() -> task<> {
            tcp_listener l(80);
            tcp_stream s = co_await l.accept();
            co_await listen_to(s, t.reader);
          });
        });
        co_await net.on("client", [&]() -> task<> {
          tcp_stream s = co_await open_tcp_stream("server", 80);
          co_await say(s, t.writer_error);
          co_await sleep_for(1min);
        });
      });
      co_return t;
    },
    o);
}

} // namespace

BOOST_AUTO_TEST_SUITE(stream_faults)

BOOST_AUTO_TEST_CASE(connection_in_memory_is_reset_where_a_byte_moves) {
  const auto r = over_memory({resets(memory_name, when::at_byte(9))});
  BOOST_TEST(r.why() == "");
  BOOST_TEST(r.result->reader.bytes == "hello wo");
  BOOST_TEST(contains(r.result->reader.error, "reset"));
  BOOST_TEST(contains(r.result->writer_error, "reset"));
}

BOOST_AUTO_TEST_CASE(connection_of_a_network_is_reset_where_a_byte_moves) {
  const auto r = over_network({resets(network_name, when::at_byte(9))});
  BOOST_TEST(r.why() == "");
  BOOST_TEST(r.result->reader.bytes == "hello wo");
  BOOST_TEST(contains(r.result->reader.error, "reset"));
}

BOOST_AUTO_TEST_CASE(what_was_written_before_a_reset_arrives_at_who_reads_later) {
  for (const std::size_t capacity : {65536U, 4U, 0U}) {
    simulation_options o;
    o.faults = {resets(memory_name, when::at_byte(10))};
    simulate(
      1,
      [capacity]() -> task<> {
        talk t;
        heard back;
        memory_stream_options options;
        options.capacity = capacity;
        auto [client, server] = memory_stream_pair(options);
        co_await with_nursery([&, &c = client, &s = server](nursery& n) -> task<> {
          n.start_soon([&]() -> task<> {
            try {
              co_await c.write_all("hello world");
            } catch (const net_error& e) {
              t.writer_error = e.code().message();
            }
            co_await listen_to(c, back);
          });
          co_await sleep_for(1s);
          co_await listen_to(s, t.reader);
        });
        BOOST_TEST(t.reader.bytes == "hello wor");
        BOOST_TEST(contains(t.reader.error, "reset"));
        BOOST_TEST(contains(t.writer_error, "reset"));
        BOOST_TEST(contains(back.error, "reset"));
        std::string what;
        try {
          co_await server.write_all("x");
        } catch (const net_error& e) {
          what = e.code().message();
        }
        BOOST_TEST(contains(what, "reset"));
      },
      o)
      .value();
  }
}

BOOST_AUTO_TEST_CASE(what_the_other_side_had_written_before_a_reset_arrives_too) {
  simulation_options o;
  o.faults = {resets(memory_name, when::at(1))};
  simulate(
    1,
    []() -> task<> {
      heard client_heard;
      auto [client, server] = memory_stream_pair();
      co_await server.write_all("welcome");
      BOOST_CHECK_THROW(co_await client.write_all("hello"), connection_reset);
      co_await listen_to(client, client_heard);
      BOOST_TEST(client_heard.bytes == "welcome");
      BOOST_TEST(contains(client_heard.error, "reset"));
    },
    o)
    .value();
}

BOOST_AUTO_TEST_CASE(connection_is_reset_at_the_nth_write) {
  BOOST_TEST(over_memory({resets(memory_name, when::at(2))}).value().reader.bytes == "hello ");
  const talk t = over_network({resets(network_name, when::at(2))}).value();
  BOOST_TEST(t.reader.bytes == "hello ");
  BOOST_TEST(contains(t.reader.error, "reset"));
}

BOOST_AUTO_TEST_CASE(short_writes_and_reads_move_all_in_the_end) {
  for (const auto& run : {over_memory, over_network}) {
    const std::string& name = run == over_memory ? memory_name : network_name;
    const talk t = run({shortens(name, when::sometimes(1), 2)}).value();
    BOOST_TEST(t.reader.bytes == "hello world");
    BOOST_TEST(t.writer_error == "");
    BOOST_TEST(t.reader.pieces.size() >= 6U);
    for (const std::size_t n : t.reader.pieces)
      BOOST_TEST(n <= 2U);
  }
}

BOOST_AUTO_TEST_CASE(short_writes_are_reset_where_that_byte_moves) {
  for (const auto& run : {over_memory, over_network}) {
    const std::string& name = run == over_memory ? memory_name : network_name;
    const fault reset =
      resets(name, when{0, 0, 1, 10}); // once, which a short write must not use up
    const fault shorter = shortens(name, when::sometimes(1), 2);
    for (const auto& plan : {std::vector{reset, shorter}, std::vector{shorter, reset}}) {
      const talk t = run(plan).value();
      BOOST_TEST(t.reader.bytes == "hello wor");
      BOOST_TEST(contains(t.reader.error, "reset"));
    }
  }
}

BOOST_AUTO_TEST_CASE(first_of_two_resets_counts) {
  const fault sooner = resets(memory_name, when::at_byte(8));
  const fault later = resets(memory_name, when::at_byte(10));
  for (const auto& plan : {std::vector{sooner, later}, std::vector{later, sooner}})
    BOOST_TEST(over_memory(plan).value().reader.bytes == "hello w");
}

BOOST_AUTO_TEST_CASE(short_writes_stall_once_where_that_byte_moves) {
  const fault stall = stalls(memory_name, when::at_byte(5), 20s);
  const fault shorter = shortens(memory_name, when::sometimes(1), 1);
  const talk t = over_memory({stall, shorter}).value();
  BOOST_TEST(t.reader.bytes == "hello world");
  BOOST_TEST((t.reader.last == 21s));
}

BOOST_AUTO_TEST_CASE(bytes_that_stall_come_later_in_order) {
  for (const auto& run : {over_memory, over_network}) {
    const std::string& name = run == over_memory ? memory_name : network_name;
    const talk t = run({stalls(name, when::at_byte(3), 20s)}).value();
    BOOST_TEST(t.reader.bytes == "hello world");
    BOOST_TEST((t.reader.last >= 20s));
  }
}

BOOST_AUTO_TEST_CASE(datagrams_are_lost_doubled_late_and_overtaken) {
  const auto received = [](const fault& f) {
    simulated_network net;
    net.add_host("client");
    net.add_host("server");
    simulation_options o;
    o.order = schedule::in_turn;
    o.faults = {f};
    o.network = &net;
    return simulate(
             1,
             [&net]() -> task<std::string> {
               std::string all;
               co_await with_nursery([&](nursery& n) -> task<> {
                 n.start_soon([&]() -> task<> {
                   co_await net.on("server", [&]() -> task<> {
                     udp_socket s(53);
                     co_await move_on_after(1min, [&]() -> task<> {
                       std::vector<std::byte> buffer(10);
                       for (;;) {
                         const auto d = co_await s.receive(buffer);
                         all.append(reinterpret_cast<const char*>(buffer.data()), d.size);
                       }
                     });
                   });
                 });
                 co_await net.on("client", [&]() -> task<> {
                   udp_socket s(1000);
                   const auto to = (co_await resolve("server", 53)).front();
                   for (const char* text : {"1", "2", "3"}) {
                     co_await sleep_for(1s);
                     co_await s.send_to(to, text);
                   }
                 });
               });
               co_return all;
             },
             o)
      .value();
  };
  const std::string name = "client:1000 > server:53";
  BOOST_TEST(received(drops(name, when::at(2))) == "13");
  BOOST_TEST(received(duplicates(name, when::at(2))) == "1223");
  BOOST_TEST(received(delays(name, when::at(1), 1500ms)) == "213");
  BOOST_TEST(received(reorders(name, when::at(1), 10s)) == "213");
  BOOST_TEST(received(reorders(name, when::at(1), 500ms)) == "123"); // before there is a next one
  BOOST_TEST(received(reorders(name, when::at(3), 10s)) == "123");
  BOOST_TEST(received(reorders(name, when{0, 1, 2}, 10s)) == "312"); // each behind one that comes
}

BOOST_AUTO_TEST_CASE(event_log_says_what_has_become_of_bytes) {
  simulation_options o;
  o.faults = {resets(memory_name, when::at_byte(3))};
  const auto r = simulate(
    1,
    []() -> task<> {
      static_cast<void>(co_await in_memory());
      throw std::logic_error("as ever");
    },
    o);
  BOOST_TEST(contains(r.log, "by plan, is reset, byte 3: the client > the server"));
}

BOOST_AUTO_TEST_CASE(plan_that_names_no_stream_is_an_error) {
  BOOST_TEST(contains(over_memory({resets("the cleint > *", when::at(1))}).why(),
                      "the fault plan names 'the cleint > *'"));
}

BOOST_AUTO_TEST_CASE(impossible_fault_of_streams_is_an_error) {
  BOOST_CHECK_THROW(static_cast<void>(over_memory({shortens("*", when::at(1), 0)})), usage_error);
  BOOST_CHECK_THROW(static_cast<void>(over_memory({resets("*", when{1, 0, 1, 1})})), usage_error);
}

BOOST_AUTO_TEST_SUITE_END()
