// SPDX-License-Identifier: BSD-3-Clause
// What runs on a simulated network unchanged: datagrams, TLS, servers on several loops, the
// check suites; and that the same seed gives the same run.
#include <troupe/testing/check_stream.hpp>
#include <troupe/testing/network.hpp>
#include <troupe/testing/simulation.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include "support/tls_pair.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using troupe_test::echo;
using troupe_test::read_text;

namespace {

/// Runs `body(net)` on virtual time, on a network of "server" and "client".
template <class Body>
void on_network(Body body, network_options options = {}, unsigned loops = 1) {
  simulated_network net(std::move(options));
  net.add_host("server");
  net.add_host("client");
  virtual_clock time;
  run_options how;
  how.loops = loops;
  how.time = &time;
  how.network = &net;
  run(how, [&]() -> task<> { co_await body(net); });
}

task<std::string> receive_text(udp_socket& s, datagram& what) {
  std::string text(100, '\0');
  what = co_await s.receive(std::as_writable_bytes(std::span(text)));
  text.resize(what.size);
  co_return text;
}

/// That the program does what it should, and the same if the seed is, but else not.
template <class Program>
void check_repeats(const Program& program, const simulation_options& how) {
  const auto play = [&](std::uint64_t seed) {
    const auto result = simulate(seed, program, how);
    BOOST_TEST(!result.failed(), result.text());
    return result.hash;
  };
  const auto first = play(1);
  BOOST_TEST(play(2) != first);
  BOOST_TEST(play(1) == first);
}

} // namespace

BOOST_AUTO_TEST_SUITE(network_programs)

BOOST_AUTO_TEST_CASE(datagrams_arrive_after_the_latency) {
  on_network([](simulated_network& net) -> task<> {
    co_await net.on("server", [&]() -> task<> {
      udp_socket server(53);
      BOOST_CHECK_THROW(udp_socket(53), address_in_use);
      co_await net.on("client", [&]() -> task<> {
        udp_socket client(0);
        const socket_address to("10.0.0.1", 53);
        const auto begin = current_time();
        co_await client.send_to(to, "question");
        datagram d;
        BOOST_TEST(co_await receive_text(server, d) == "question");
        BOOST_TEST((current_time() - begin == 1ms));
        BOOST_TEST(d.from.text() == "10.0.0.2:" + std::to_string(client.port()));
        co_await server.send_to(d.from, "answer");
        BOOST_TEST(co_await receive_text(client, d) == "answer");
        BOOST_TEST(d.from.text() == to.text());
        BOOST_CHECK_THROW(co_await client.send_to(to, std::string(70'000, 'x')), message_too_long);
        udp_socket connected(socket_address("10.0.0.1", 54)); // nobody is there
        co_await connected.send("hello?");
        BOOST_CHECK_THROW(co_await receive_text(connected, d), connection_refused);
      });
    });
  });
}

BOOST_AUTO_TEST_CASE(p23_datagrams_are_lost_doubled_and_overtaken) {
  network_options options;
  options.links.loss = 0.1;
  options.links.duplicate = 0.1;
  options.links.reorder = 0.2;
  on_network(
    [](simulated_network& net) -> task<> {
      co_await net.on("server", [&]() -> task<> {
        udp_socket server(53);
        co_await net.on("client", [&]() -> task<> {
          udp_socket client(0);
          const socket_address to("10.0.0.1", 53);
          for (int i = 0; i < 1000; ++i) {
            co_await client.send_to(to, std::to_string(i));
            if (i % 10 == 0)
              co_await sleep_for(1ms);
          }
        });
        std::vector<int> times(1000);
        int overtaken = 0;
        int last = 0;
        co_await move_on_after(1min, [&]() -> task<> {
          for (datagram d;;) {
            const int i = std::stoi(co_await receive_text(server, d));
            ++times[static_cast<std::size_t>(i)];
            overtaken += i < last ? 1 : 0;
            last = i;
          }
        });
        const auto lost = std::count(times.begin(), times.end(), 0);
        const auto doubled = std::count(times.begin(), times.end(), 2);
        BOOST_TEST(lost > 50);
        BOOST_TEST(lost < 150);
        BOOST_TEST(doubled > 50);
        BOOST_TEST(doubled < 150);
        BOOST_TEST(overtaken > 50);
        net.partition("client", "server");
        co_await net.on("client", [&]() -> task<> {
          udp_socket client(0);
          co_await client.send_to(socket_address("10.0.0.1", 53), "0");
        });
        net.heal();
        const bool came = co_await move_on_after(1min, [&]() -> task<> {
          datagram d;
          co_await receive_text(server, d);
        });
        BOOST_TEST(!came);
      });
    },
    options);
}

BOOST_AUTO_TEST_CASE(p20_tls_runs_over_it_unchanged) {
  const tls_client_context c(troupe_test::client_options());
  const tls_server_context s(troupe_test::server_options());
  on_network([&](simulated_network& net) -> task<> {
    net.add_name("localhost.test", "server");
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_service([&]() -> task<> {
        co_await net.on("server", [&]() -> task<> {
          const tls_handler handler = [](tls_stream& peer) { return echo(peer); };
          co_await serve_tls(handler, 443, s);
        });
      });
      co_await net.on("client", [&]() -> task<> {
        const std::string name = "localhost"; // what the certificate is for
        tcp_stream tcp = co_await open_tcp_stream("server", 443);
        tls_stream tls = co_await tls_connect(std::move(tcp), name, c);
        co_await tls.write_all("secret");
        BOOST_TEST(co_await read_text(tls) == "secret");
        co_await tls.close();
        // cut in the middle: not a clean end
        net.reset_after("client", "server", 5000);
        tcp_stream cut = co_await open_tcp_stream("server", 443);
        const auto result = co_await as_outcome([&]() -> task<> {
          tls_stream over = co_await tls_connect(std::move(cut), name, c);
          for (;;) {
            co_await over.write_all(std::string(100, 'x'));
            BOOST_TEST(co_await read_text(over) != "");
          }
        }());
        BOOST_TEST((result.code() == std::errc::connection_reset));
      });
    });
  });
}

BOOST_AUTO_TEST_CASE(server_spreads_over_loops) {
  on_network(
    [](simulated_network& net) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_service([&]() -> task<> {
          co_await net.on("server", []() -> task<> {
            const tcp_handler handler = [](tcp_stream& peer) { return echo(peer); };
            serve_options spread;
            spread.spread = true;
            co_await serve_tcp(handler, 80, spread);
          });
        });
        co_await net.on("client", []() -> task<> {
          co_await with_nursery([](nursery& clients) -> task<> {
            for (unsigned i = 0; i < 20; ++i)
              clients.start_on(i, [i]() -> task<> {
                tcp_stream s = co_await open_tcp_stream("server", 80);
                const std::string text = "client " + std::to_string(i);
                for (int round = 0; round < 20; ++round) {
                  co_await s.write_all(text);
                  if (co_await read_text(s) != text)
                    throw std::runtime_error("the echo is wrong");
                }
              });
            co_return;
          });
        });
      });
    },
    {}, 3);
}

BOOST_AUTO_TEST_CASE(p19_what_comes_back_is_a_prefix_however_it_is_cut) {
  std::size_t cut = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    network_options options;
    options.seed = seed;
    options.links.jitter = 5ms;
    options.links.shape = jitter_shape::exponential;
    options.links.loss = 0.1;
    options.links.bandwidth = 1'000'000;
    on_network(
      [&](simulated_network& net) -> task<> {
        net.reset_after("client", "server", seed * 997 % 40'000);
        co_await with_nursery([&](nursery& n) -> task<> {
          n.start_service([&]() -> task<> {
            co_await net.on("server", []() -> task<> {
              const tcp_handler handler = [](tcp_stream& peer) { return echo(peer); };
              co_await serve_tcp(handler, 7);
            });
          });
          std::string in;
          for (int i = 0; i < 3000; ++i)
            in += std::to_string(i) + ' ';
          std::string out;
          co_await net.on("client", [&]() -> task<> {
            tcp_stream s = co_await open_tcp_stream("server", 7);
            co_await with_nursery([&](nursery& both) -> task<> {
              both.start_soon([&]() -> task<> {
                static_cast<void>(co_await as_outcome(s.write_all(in)));
                static_cast<void>(co_await as_outcome(s.send_eof()));
              });
              static_cast<void>(co_await as_outcome([&]() -> task<> {
                for (std::string part; !(part = co_await read_text(s)).empty();)
                  out += part;
              }()));
            });
          });
          BOOST_TEST(in.starts_with(out), "seed " << seed);
          cut += out.size() < in.size() ? 1 : 0;
        });
      },
      options);
  }
  BOOST_TEST(cut > 100U);
  BOOST_TEST(cut < 200U);
}

BOOST_AUTO_TEST_CASE(p26_its_connections_keep_the_rules_of_streams) {
  on_network([](simulated_network& net) -> task<> {
    const stream_maker make = [&net]() -> task<stream_ends> {
      std::optional<tcp_stream> client, server;
      co_await net.on("server", [&]() -> task<> {
        tcp_listener listener(80);
        co_await net.on(
          "client", [&]() -> task<> { client.emplace(co_await open_tcp_stream("server", 80)); });
        server.emplace(co_await listener.accept());
      });
      co_return stream_ends(*std::move(client), *std::move(server));
    };
    check_stream_options less;
    less.clog = 1'000'000;
    less.patience = 1min;
    co_await check_half_closeable_stream(make, less);
  });
}

BOOST_AUTO_TEST_CASE(p22_simulations_run_on_it) {
  network_options options;
  options.seed = 0; // as the simulation has it
  options.links.jitter = 10ms;
  options.links.loss = 0.05;
  simulated_network net(options);
  net.add_host("server");
  net.add_host("client");
  const auto program = [&]() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_service([&]() -> task<> {
        co_await net.on("server", []() -> task<> {
          const tcp_handler handler = [](tcp_stream& peer) { return echo(peer); };
          serve_options spread;
          spread.spread = true;
          co_await serve_tcp(handler, 80, spread);
        });
      });
      for (unsigned i = 0; i < 6; ++i)
        n.start_on(i, [&]() -> task<> {
          co_await net.on("client", []() -> task<> {
            tcp_stream s = co_await open_tcp_stream("server", 80);
            for (int round = 0; round < 5; ++round) {
              co_await s.write_all("hello");
              if (co_await read_text(s) != "hello")
                throw test_failure("the echo is wrong");
            }
          });
        });
      co_await sleep_for(10ms);
      net.partition("server", "client");
      co_await sleep_for(10s);
      net.heal();
    });
  };
  simulation_options how;
  how.loops = 3;
  how.network = &net;
  check_repeats(program, how);
}

BOOST_AUTO_TEST_CASE(p22_tls_is_simulated_too) {
  const tls_client_context c(troupe_test::client_options());
  const tls_server_context s(troupe_test::server_options());
  network_options options;
  options.seed = 0; // as the simulation has it
  options.links.jitter = 10ms;
  simulated_network net(options);
  net.add_host("server");
  net.add_host("client");
  const auto program = [&]() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_service([&]() -> task<> {
        co_await net.on("server", [&]() -> task<> {
          const tls_handler handler = [](tls_stream& peer) { return echo(peer); };
          co_await serve_tls(handler, 443, s);
        });
      });
      for (int i = 0; i < 3; ++i)
        n.start_soon([&]() -> task<> {
          co_await net.on("client", [&]() -> task<> {
            co_await sleep_for(1ms); // until it listens
            tcp_stream tcp = co_await open_tcp_stream("server", 443);
            tls_stream tls = co_await tls_connect(std::move(tcp), "localhost", c);
            co_await tls.write_all("secret");
            if (co_await read_text(tls) != "secret")
              throw test_failure("the echo is wrong");
            co_await tls.close();
          });
        });
      co_return;
    });
  };
  simulation_options how;
  how.network = &net;
  check_repeats(program, how);
}

BOOST_AUTO_TEST_CASE(p22_same_seed_gives_the_same_run) {
  const auto play = [](std::uint64_t seed) {
    std::vector<std::string> log;
    network_options options;
    options.seed = seed;
    options.links.jitter = 10ms;
    options.links.loss = 0.05;
    options.log = [&](std::string_view line) { log.emplace_back(line); };
    on_network(
      [](simulated_network& net) -> task<> {
        co_await with_nursery([&](nursery& n) -> task<> {
          n.start_service([&]() -> task<> {
            co_await net.on("server", []() -> task<> {
              const tcp_handler handler = [](tcp_stream& peer) { return echo(peer); };
              co_await serve_tcp(handler, 80);
            });
          });
          for (int i = 0; i < 5; ++i)
            n.start_soon([&]() -> task<> {
              co_await net.on("client", []() -> task<> {
                tcp_stream s = co_await open_tcp_stream("server", 80);
                for (int round = 0; round < 10; ++round) {
                  co_await s.write_all("hello");
                  co_await read_text(s);
                }
              });
            });
          co_return;
        });
      },
      options);
    return log;
  };
  const auto first = play(1);
  BOOST_TEST(first.size() > 200U);
  BOOST_TEST((first == play(1)));
  BOOST_TEST((first != play(2)));
}

BOOST_AUTO_TEST_SUITE_END()
