// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/network.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include "support/stream_pair.hpp"

#include <boost/test/unit_test.hpp>

#include <optional>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using troupe_test::echo;
using troupe_test::read_text;

namespace {

/// Two hosts, "server" and "client", on virtual time.
struct two_hosts {
  explicit two_hosts(network_options options = {}) : net(std::move(options)) {
    net.add_host("server");
    net.add_host("client");
  }

  /// Runs `client()` on the client while `server()` runs, as a service, on the server.
  template <class Server, class Client>
  void play(Server server, Client client, unsigned loops = 1) {
    virtual_clock time;
    run_options options;
    options.loops = loops;
    options.time = &time;
    options.network = &net;
    run(options, [&]() -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_service([&]() -> task<> { co_await net.on("server", server); });
        co_await net.on("client", client);
      });
    });
  }

  simulated_network net;
};

const tcp_handler echo_handler = [](tcp_stream& s) { return echo(s); };

task<> serve_echo() { co_await serve_tcp(echo_handler, 7); }

task<> serve_echo_quietly() {
  serve_options quiet;
  quiet.on_failure = [](const std::exception_ptr&, std::string_view) {};
  co_await serve_tcp(echo_handler, 7, quiet);
}

task<> read_some_of(stream& s) { co_await read_text(s); }

task<> ask(tcp_stream& s, const std::string& text) {
  co_await s.write_all(text);
  BOOST_TEST(co_await read_text(s) == text);
}

task<> connecting_times_out(std::uint16_t port) {
  const auto begin = current_time();
  BOOST_CHECK_THROW(co_await open_tcp_stream("server", port), connection_timeout);
  BOOST_TEST((current_time() - begin == 127s + 1ms));
}

task<> writing_times_out(tcp_stream& s, duration after) {
  const auto begin = current_time();
  co_await s.write_all("x");
  BOOST_CHECK_THROW(co_await read_text(s), connection_timeout);
  BOOST_TEST((current_time() - begin == after));
}

} // namespace

BOOST_AUTO_TEST_SUITE(simulated_networks)

BOOST_AUTO_TEST_CASE(ordinary_programs_run_on_it) {
  two_hosts hosts;
  hosts.play(serve_echo, []() -> task<> {
    const auto begin = current_time();
    tcp_stream s = co_await open_tcp_stream("server", 7);
    BOOST_TEST((current_time() - begin == 3ms)); // the name, there, and back
    BOOST_TEST(s.peer() == "10.0.0.1:7");
    BOOST_TEST(s.local() == "10.0.0.2:49152");
    co_await ask(s, "hello");
    BOOST_TEST((current_time() - begin == 5ms));
    const std::string much(1'000'000, 'x');
    std::size_t got = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        co_await s.write_all(much);
        co_await s.send_eof();
      });
      while (const std::size_t size = (co_await read_text(s, 65536)).size())
        got += size;
    });
    BOOST_TEST(got == much.size());
    BOOST_TEST(s.statistics().bytes_written == much.size() + 5);
  });
}

BOOST_AUTO_TEST_CASE(hosts_have_names_and_ports_of_their_own) {
  simulated_network net;
  net.add_host("a");
  net.add_host("b", {"192.0.2.1", "2001:db8::1"});
  net.add_name("alias", "b");
  BOOST_CHECK_THROW(net.add_host("a"), usage_error);
  BOOST_CHECK_THROW(net.add_host("c", {"192.0.2.1"}), usage_error);
  BOOST_CHECK_THROW(net.partition("a", "nobody"), usage_error);
  virtual_clock time;
  run_options options;
  options.loops = 1;
  options.time = &time;
  options.network = &net;
  run(options, [&]() -> task<> {
    const auto found = co_await resolve("alias", 80);
    BOOST_REQUIRE(found.size() == 2U);
    BOOST_TEST(found[0].text() == "192.0.2.1:80");
    BOOST_TEST(found[1].text() == "[2001:db8::1]:80");
    BOOST_CHECK_THROW(co_await resolve("nobody", 80), name_not_found);
    co_await net.on("a", [&]() -> task<> {
      tcp_listener one(80);
      BOOST_CHECK_THROW(tcp_listener(80), address_in_use);
      const listen_options elsewhere{.address = "192.0.2.1"};
      BOOST_CHECK_THROW(tcp_listener(81, elsewhere), address_not_available);
      co_await net.on("b", [&]() -> task<> {
        tcp_listener other(80); // another host's
        BOOST_TEST(other.port() == 80U);
        tcp_stream here = co_await open_tcp_stream("127.0.0.1", 80);
        tcp_stream there = co_await open_tcp_stream("a", 80);
        tcp_stream seen = co_await one.accept();
        BOOST_TEST(seen.peer() == there.local());
        BOOST_TEST(seen.peer().starts_with("192.0.2.1:"));
      });
      BOOST_CHECK_THROW(co_await open_tcp_stream("203.0.113.1", 80), host_unreachable);
    });
  });
}

BOOST_AUTO_TEST_CASE(p23_connection_is_refused_where_nobody_listens) {
  two_hosts hosts;
  hosts.play(serve_echo, [&]() -> task<> {
    const auto begin = current_time();
    BOOST_CHECK_THROW(co_await open_tcp_stream("server", 8), connection_refused);
    BOOST_TEST((current_time() - begin == 3ms));
    hosts.net.refuse("server");
    BOOST_CHECK_THROW(co_await open_tcp_stream("server", 7), connection_refused);
    hosts.net.refuse("server", false);
    static_cast<void>(co_await open_tcp_stream("server", 7));
  });
}

BOOST_AUTO_TEST_CASE(p23_partition_holds_back_and_heals) {
  two_hosts hosts;
  hosts.play(serve_echo, [&]() -> task<> {
    tcp_stream s = co_await open_tcp_stream("server", 7);
    co_await ask(s, "before");
    hosts.net.partition("client", "server");
    const bool connected = co_await move_on_after(
      10s, []() -> task<> { static_cast<void>(co_await open_tcp_stream("server", 7)); });
    BOOST_TEST(!connected);
    co_await s.write_all("held back");
    const bool answered = co_await move_on_after(60s, [&]() -> task<> { co_await read_text(s); });
    BOOST_TEST(!answered);
    hosts.net.heal("client", "server");
    BOOST_TEST(co_await read_text(s) == "held back");
    static_cast<void>(co_await open_tcp_stream("server", 7));
  });
}

BOOST_AUTO_TEST_CASE(p23_partition_that_does_not_heal_times_out) {
  two_hosts hosts;
  hosts.play(serve_echo, [&]() -> task<> {
    tcp_stream s = co_await open_tcp_stream("server", 7);
    hosts.net.isolate("server");
    co_await connecting_times_out(7);
    co_await writing_times_out(s, 924s);
    BOOST_CHECK_THROW(co_await s.write_all("x"), broken_pipe);
  });
}

BOOST_AUTO_TEST_CASE(p23_one_way_partition_lets_the_other_way_through) {
  two_hosts hosts;
  std::optional<tcp_stream> at_server;
  hosts.play(
    [&]() -> task<> {
      tcp_listener listener(7);
      at_server.emplace(co_await listener.accept());
      co_await sleep_forever();
    },
    [&]() -> task<> {
      tcp_stream s = co_await open_tcp_stream("server", 7);
      co_await sleep_for(1s);
      hosts.net.partition_one_way("server", "client");
      co_await s.write_all("there");
      BOOST_TEST(co_await read_text(*at_server) == "there");
      co_await at_server->write_all("and back");
      co_await sleep_for(1s);
      hosts.net.heal();
      BOOST_TEST(co_await read_text(s) == "and back");
      at_server.reset();
    });
}

BOOST_AUTO_TEST_CASE(p23_reset_cuts_both_sides) {
  two_hosts hosts;
  std::vector<std::string> server_saw;
  hosts.play(
    [&]() -> task<> {
      const tcp_handler handler = [&](tcp_stream& s) -> task<> {
        const auto result = co_await as_outcome(read_text(s));
        server_saw.push_back(result ? result.value() : describe(result.error()));
      };
      co_await serve_tcp(handler, 7);
    },
    [&]() -> task<> {
      tcp_stream s = co_await open_tcp_stream("server", 7);
      co_await sleep_for(1s);
      hosts.net.reset("client", "server");
      BOOST_CHECK_THROW(co_await s.write_all("x"), connection_reset);
      BOOST_CHECK_THROW(co_await s.write_all("x"), broken_pipe);
      BOOST_TEST(co_await read_text(s) == "");
      co_await sleep_for(1s);
    });
  BOOST_REQUIRE(server_saw.size() == 1U);
  BOOST_TEST(server_saw[0] == "cannot read from 10.0.0.2:49152: Connection reset by peer");
}

BOOST_AUTO_TEST_CASE(p23_reset_comes_after_so_many_bytes) {
  two_hosts hosts;
  hosts.net.reset_after("client", "server", 10);
  hosts.play(serve_echo, []() -> task<> {
    tcp_stream s = co_await open_tcp_stream("server", 7);
    co_await ask(s, "abc"); // six bytes
    co_await s.write_all("defg");
    BOOST_CHECK_THROW(co_await read_text(s), connection_reset);
    tcp_stream next = co_await open_tcp_stream("server", 7); // only one
    co_await ask(next, "this is longer than ten bytes");
  });
}

BOOST_AUTO_TEST_CASE(p23_crash_leaves_the_other_side_half_open) {
  two_hosts hosts;
  hosts.play(
    [&]() -> task<> {
      for (;;) // until it is up again
        try {
          tcp_listener listener(7);
          tcp_stream s = co_await listener.accept();
          co_await echo(s);
        } catch (const net_error&) { // NOLINT(bugprone-empty-catch)
        }
    },
    [&]() -> task<> {
      tcp_stream s = co_await open_tcp_stream("server", 7);
      co_await ask(s, "x");
      hosts.net.crash("server");
      const bool heard = co_await move_on_after(1h, [&]() -> task<> { co_await read_text(s); });
      BOOST_TEST(!heard); // nobody says anything
      co_await s.write_all("x");
      BOOST_CHECK_THROW(co_await read_text(s), connection_reset);
      tcp_stream again = co_await open_tcp_stream("server", 7);
      co_await ask(again, "x");
    });
}

BOOST_AUTO_TEST_CASE(p23_server_without_descriptors_goes_on_when_there_are_some) {
  two_hosts hosts;
  hosts.net.descriptor_limit("server", 2); // one listens
  hosts.play(serve_echo_quietly, [&]() -> task<> {
    tcp_stream one = co_await open_tcp_stream("server", 7);
    co_await ask(one, "one");
    tcp_stream other = co_await open_tcp_stream("server", 7);
    co_await other.write_all("other");
    const bool served = co_await move_on_after(1min, [&] { return read_some_of(other); });
    BOOST_TEST(!served);
    co_await one.close();
    BOOST_TEST(co_await read_text(other) == "other");
    hosts.net.descriptor_limit("client", 1);
    BOOST_CHECK_THROW(co_await open_tcp_stream("server", 7), too_many_files);
  });
}

BOOST_AUTO_TEST_CASE(abort_is_heard_as_a_reset_and_close_as_the_end) {
  two_hosts hosts;
  std::vector<std::string> server_saw;
  hosts.play(
    [&]() -> task<> {
      const tcp_handler handler = [&](tcp_stream& s) -> task<> {
        const auto result = co_await as_outcome(read_text(s));
        server_saw.push_back(result ? "'" + result.value() + "'" : describe(result.error()));
      };
      co_await serve_tcp(handler, 7);
    },
    [&]() -> task<> {
      tcp_stream one = co_await open_tcp_stream("server", 7);
      one.abort();
      co_await sleep_for(1s);
      tcp_stream other = co_await open_tcp_stream("server", 7);
      co_await other.close();
      co_await sleep_for(1s);
    });
  BOOST_REQUIRE(server_saw.size() == 2U);
  BOOST_TEST(server_saw[0].ends_with("Connection reset by peer"));
  BOOST_TEST(server_saw[1] == "''");
}

BOOST_AUTO_TEST_CASE(latency_jitter_and_bandwidth_take_their_time) {
  two_hosts hosts;
  link_options slow;
  slow.latency = 100ms;
  slow.bandwidth = 100'000;
  hosts.net.link("client", "server", slow);
  hosts.play(
    []() -> task<> {
      const tcp_handler sink = [](tcp_stream& s) -> task<> {
        while (!(co_await read_text(s, 65536)).empty()) {
        }
      };
      co_await serve_tcp(sink, 7);
    },
    []() -> task<> {
      tcp_stream s = co_await open_tcp_stream("server", 7);
      const auto begin = current_time();
      const std::string much(1'000'000, 'x');
      co_await s.write_all(much); // the last 256 KiB are under way
      co_await s.send_eof();
      BOOST_TEST((current_time() - begin > 7s));
      BOOST_TEST(co_await read_text(s) == "");
      BOOST_TEST((current_time() - begin > 10s));
      BOOST_TEST((current_time() - begin < 11s));
    });
}

BOOST_AUTO_TEST_CASE(p23_slow_reader_holds_the_writer) {
  network_options options;
  options.buffer = 1000;
  two_hosts hosts(options);
  hosts.play(
    []() -> task<> {
      const tcp_handler slow = [](tcp_stream& s) -> task<> {
        while (!(co_await read_text(s, 100)).empty())
          co_await sleep_for(1s);
      };
      co_await serve_tcp(slow, 7);
    },
    []() -> task<> {
      tcp_stream s = co_await open_tcp_stream("server", 7);
      const auto begin = current_time();
      co_await s.write_all(std::string(2000, 'x'));
      BOOST_TEST((current_time() - begin > 8s));
      BOOST_TEST((current_time() - begin < 11s));
    });
}

BOOST_AUTO_TEST_CASE(p23_connection_whose_segments_are_all_lost_times_out) {
  two_hosts hosts;
  hosts.play(serve_echo, [&]() -> task<> {
    tcp_stream s = co_await open_tcp_stream("server", 7);
    hosts.net.link("client", "server", {.loss = 1});
    co_await connecting_times_out(7);
    BOOST_TEST(hosts.net.lost() == 10U); // at 0.0 s, 0.2 s, 0.6 s ... 102.2 s
    co_await writing_times_out(s, 924s);
    BOOST_CHECK_THROW(co_await s.write_all("x"), broken_pipe);
  });
}

BOOST_AUTO_TEST_CASE(p23_connection_whose_answers_are_all_lost_times_out) {
  two_hosts hosts;
  hosts.play(serve_echo_quietly, [&]() -> task<> {
    tcp_stream s = co_await open_tcp_stream("server", 7);
    hosts.net.link("server", "client", {.loss = 1});
    for (const std::uint16_t port : {std::uint16_t{7}, std::uint16_t{8}}) // 8 refuses, unheard
      co_await connecting_times_out(port);
    co_await writing_times_out(s, 924s + 1ms); // it is what the server acknowledges
  });
}

BOOST_AUTO_TEST_CASE(p23_what_was_lost_is_sent_again_after_twice_the_time_each_time) {
  two_hosts hosts;
  hosts.play(serve_echo, [&]() -> task<> {
    tcp_stream s = co_await open_tcp_stream("server", 7);
    co_await ask(s, "before");
    hosts.net.link("client", "server", {.loss = 1});
    const auto begin = current_time();
    co_await s.write_all("lost");
    co_await sleep_for(1s);
    hosts.net.link("client", "server", {});
    co_await s.write_all(", not lost"); // and waits for its turn
    std::string all;
    while (all.size() < 14)
      all += co_await read_text(s);
    BOOST_TEST(all == "lost, not lost");
    BOOST_TEST((current_time() - begin == 1400ms + 2ms)); // after 0.2 s, 0.4 s and 0.8 s
  });
}

BOOST_AUTO_TEST_CASE(p19_p23_lossy_links_delay_and_lose_nothing) {
  network_options options;
  options.links.jitter = 20ms;
  options.links.loss = 0.2;
  two_hosts hosts(options);
  hosts.play(serve_echo, [&]() -> task<> {
    tcp_stream s = co_await open_tcp_stream("server", 7);
    std::string all;
    for (int i = 0; i < 300; ++i)
      all += std::to_string(i) + ' ';
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        for (std::size_t at = 0; at < all.size(); at += 10)
          co_await s.write_all(std::string_view(all).substr(at, 10));
        co_await s.send_eof();
      });
      std::string got;
      for (std::string part; !(part = co_await read_text(s)).empty();)
        got += part;
      BOOST_TEST(got == all);
    });
    BOOST_TEST(hosts.net.lost() > 10U);
  });
}

BOOST_AUTO_TEST_SUITE_END()
