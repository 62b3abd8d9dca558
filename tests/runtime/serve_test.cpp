// SPDX-License-Identifier: BSD-3-Clause
// Servers over several loops, their limits, and how they end.
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include "support/loopback.hpp"
#include "support/stream_pair.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe_test::echo;
using troupe_test::localhost;
using troupe_test::loopback;
using troupe_test::read_text;

BOOST_AUTO_TEST_SUITE(serving)

BOOST_AUTO_TEST_CASE(connections_are_spread_over_the_loops) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::vector<std::string> reports;
  run(run_options{.loops = 3}, [&]() -> task<> {
    tcp_listener listener(0, loopback);
    const auto port = listener.port();
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        serve_options options;
        options.spread = true;
        options.connection_limit = 9;
        options.on_failure = [&](const std::exception_ptr& e, std::string_view) {
          const std::lock_guard lock(mutex);
          reports.push_back(describe(e));
        };
        const tcp_handler handler = [&](tcp_stream& s) -> task<> {
          {
            const std::lock_guard lock(mutex);
            threads.insert(std::this_thread::get_id());
          }
          if (co_await read_text(s) == "throw")
            throw std::runtime_error("as asked");
          co_await s.write_all("hello");
          co_await echo(s);
        };
        co_await serve_listener(handler, std::move(listener), options);
      });
      // three times as many as there may be at once
      for (int round = 0; round < 3; ++round) {
        std::vector<tcp_stream> clients;
        for (int i = 0; i < 9; ++i)
          clients.push_back(co_await open_tcp_stream(localhost, port));
        for (auto& c : clients)
          co_await c.write_all("x");
        for (auto& c : clients)
          BOOST_TEST(co_await read_text(c) == "hello");
      }
      tcp_stream bad = co_await open_tcp_stream(localhost, port);
      co_await bad.write_all("throw");
      BOOST_TEST(co_await read_text(bad) == "");
      tcp_stream last = co_await open_tcp_stream(localhost, port);
      co_await last.write_all("x");
      BOOST_TEST(co_await read_text(last) == "hello");
      n.cancel();
    });
  });
  BOOST_TEST(threads.size() == 3U);
  BOOST_TEST(reports == std::vector<std::string>(1, "as asked"));
}

BOOST_AUTO_TEST_CASE(cancelled_server_lets_connections_end_within_the_drain_limit) {
  troupe::testing::run_virtually([]() -> task<> {
    tcp_listener listener(0, loopback);
    const auto port = listener.port();
    bool asked = false;
    bool cut_off = false;
    std::optional<tcp_stream> polite;
    std::optional<tcp_stream> stubborn;
    time_point cancelled_at;
    co_await with_nursery([&](nursery& n) -> task<> {
      auto server = n.start_soon([&]() -> task<> {
        serve_options options;
        options.drain_limit = 10s;
        const tcp_handler handler = [&](tcp_stream& s) -> task<> {
          if (co_await read_text(s) == "polite") {
            co_await s.write_all("ok");
            co_await stopping();
            asked = true;
            co_await s.write_all("goodbye");
          } else {
            co_await s.write_all("ok");
            co_await with_cleanup([]() -> task<> { co_await sleep_forever(); },
                                  [&]() -> task<> {
                                    cut_off = true;
                                    co_return;
                                  });
          }
        };
        co_await serve_listener(handler, std::move(listener), options);
      });
      polite.emplace(co_await open_tcp_stream(localhost, port));
      co_await polite->write_all("polite");
      BOOST_TEST(co_await read_text(*polite) == "ok");
      stubborn.emplace(co_await open_tcp_stream(localhost, port));
      co_await stubborn->write_all("stubborn");
      BOOST_TEST(co_await read_text(*stubborn) == "ok");
      cancelled_at = current_time();
      server.cancel();
      BOOST_TEST(co_await read_text(*polite) == "goodbye");
      BOOST_TEST(!cut_off);
      BOOST_TEST(co_await read_text(*polite) == "");
      BOOST_CHECK_THROW(co_await open_tcp_stream(localhost, port), connection_refused);
    });
    BOOST_TEST(asked);
    BOOST_TEST(cut_off);
    BOOST_TEST(((current_time() - cancelled_at) == 10s));
  });
}

BOOST_AUTO_TEST_CASE(draining_server_ends_as_soon_as_all_have_left) {
  troupe::testing::run_virtually([]() -> task<> {
    const time_point began = current_time();
    std::uint16_t port = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      auto server = n.start_soon([&]() -> task<> {
        tcp_listener listener(0, loopback);
        port = listener.port();
        serve_options options;
        options.drain_limit = 10s;
        co_await serve_listener(echo, std::move(listener), options);
      });
      co_await checkpoint();
      tcp_stream client = co_await open_tcp_stream(localhost, port);
      co_await client.write_all("x");
      BOOST_TEST(co_await read_text(client) == "x");
      server.cancel();
      co_await client.close();
    });
    BOOST_TEST((current_time() - began < 10s));
  });
}

BOOST_AUTO_TEST_CASE(server_that_is_cancelled_before_it_starts_ends) {
  run([]() -> task<> {
    tcp_listener listener(0, loopback);
    serve_options options;
    options.drain_limit = 1h;
    co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      s.cancel();
      co_await serve_listener(echo, std::move(listener), options);
    });
  });
}

BOOST_AUTO_TEST_CASE(client_that_sends_too_slowly_is_given_up_alone) {
  troupe::testing::run_virtually([]() -> task<> {
    tcp_listener listener(0, loopback);
    const auto port = listener.port();
    std::vector<std::string> reports;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        serve_options options;
        options.on_failure = [&](const std::exception_ptr& e, std::string_view) {
          reports.push_back(describe(e));
        };
        const tcp_handler handler = [](tcp_stream& s) -> task<> {
          buffered_reader in(s, 100);
          for (;;) {
            const auto line = co_await fail_after(
              10s, [&] { return in.read_line(); }, "a line");
            if (!line)
              co_return;
            co_await s.write_all(*line + "\n");
          }
        };
        co_await serve_listener(handler, std::move(listener), options);
      });
      tcp_stream loris = co_await open_tcp_stream(localhost, port);
      tcp_stream good = co_await open_tcp_stream(localhost, port);
      int bytes = 0;
      try { // a byte a second, and never an end of the line
        for (; bytes < 60; ++bytes) {
          co_await loris.write_all("x");
          co_await good.write_all("y\n");
          BOOST_TEST(co_await read_text(good) == "y\n");
          co_await sleep_for(1s);
        }
      } catch (const net_error&) { // NOLINT(bugprone-empty-catch): it was cut off
      }
      BOOST_TEST(bytes < 15);
      co_await good.write_all("still there\n");
      BOOST_TEST(co_await read_text(good) == "still there\n");
      n.cancel();
    });
    BOOST_REQUIRE(reports.size() == 1U);
    BOOST_TEST(reports[0].find("'a line'") != std::string::npos);
  });
}

BOOST_AUTO_TEST_CASE(client_that_reads_too_slowly_is_given_up_alone) {
  troupe::testing::run_virtually([]() -> task<> {
    tcp_listener listener(0, loopback);
    const auto port = listener.port();
    bool gave_up = false;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        const tcp_handler handler = [&](tcp_stream& s) -> task<> {
          const std::string much(30'000'000, 'x'); // more than the kernel keeps
          const bool written =
            co_await move_on_after(10s, [&]() -> task<> { co_await s.write_all(much); });
          if (!written) {
            gave_up = true;
            s.abort(); // what it has not read is not worth keeping
          }
        };
        co_await serve_listener(handler, std::move(listener));
      });
      tcp_stream slow = co_await open_tcp_stream(localhost, port);
      std::size_t got = 0;
      try {
        for (;;) {
          const std::size_t size = (co_await read_text(slow, 100)).size();
          if (size == 0)
            break;
          got += size;
          co_await sleep_for(1s);
        }
      } catch (const connection_reset&) { // NOLINT(bugprone-empty-catch)
      }
      BOOST_TEST(got < 30'000'000U);
      n.cancel();
    });
    BOOST_TEST(gave_up);
  });
}

BOOST_AUTO_TEST_CASE(p19_echo_gives_back_a_prefix_however_the_connection_is_cut) {
  enum class cut { end, close, abort, server_aborts, server_closes };
  run(run_options{.loops = 1}, []() -> task<> {
    std::string pattern(300'000, ' ');
    for (std::size_t i = 0; i < pattern.size(); ++i)
      pattern[i] = static_cast<char>('!' + i % 89);
    std::mt19937 random(19); // NOLINT: the same each time
    for (int round = 0; round < 200; ++round) {
      const auto how = static_cast<cut>(round % 5);
      const std::size_t cut_at = random() % pattern.size();
      const std::size_t piece = 1 + random() % 30'000;
      tcp_listener listener(0, loopback);
      tcp_stream client = co_await open_tcp_stream(localhost, listener.port());
      tcp_stream server = co_await listener.accept();
      std::string came_back;
      std::size_t sent = 0;
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([&]() -> task<> {
          std::size_t echoed = 0;
          std::array<std::byte, 4096> buffer{};
          try {
            while (const auto size = co_await server.read_some(buffer)) {
              co_await server.write_all(std::span(buffer).first(size));
              echoed += size;
              if (echoed >= cut_at && how == cut::server_aborts)
                co_return server.abort();
              if (echoed >= cut_at && how == cut::server_closes)
                co_return co_await server.close();
            }
            co_await server.close();
          } catch (const net_error&) { // NOLINT(bugprone-empty-catch): that is a cut, too
          }
        });
        n.start_soon([&]() -> task<> {
          try {
            while (sent < pattern.size()) {
              const std::string_view next = std::string_view(pattern).substr(sent, piece);
              co_await client.write_all(next);
              sent += next.size();
              if (sent >= cut_at && how == cut::abort)
                co_return client.abort();
              if (sent >= cut_at && how == cut::close)
                co_return co_await client.close();
            }
            co_await client.send_eof();
          } catch (const net_error&) { // NOLINT(bugprone-empty-catch)
          }
        });
        try {
          for (;;) {
            const std::string text = co_await read_text(client, 10'000);
            if (text.empty())
              break;
            came_back += text;
          }
        } catch (const net_error&) { // NOLINT(bugprone-empty-catch)
        }
      });
      BOOST_REQUIRE(pattern.starts_with(came_back));
      if (how == cut::end) // and all of it if nobody cuts
        BOOST_REQUIRE(came_back.size() == pattern.size());
    }
  });
}

BOOST_AUTO_TEST_CASE(port_can_be_shared_between_listeners) {
  run([]() -> task<> {
    listen_options shared = loopback;
    shared.reuse_port = true;
    tcp_listener one(0, shared);
    tcp_listener two(one.port(), shared);
    BOOST_CHECK_THROW(tcp_listener(one.port(), loopback), address_in_use);
    BOOST_TEST(one.port() == two.port());
    co_return;
  });
}

BOOST_AUTO_TEST_SUITE_END()
