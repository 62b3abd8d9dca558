// SPDX-License-Identifier: BSD-3-Clause
#include "support/certificates.hpp"
#include "support/temporary_directory.hpp"

#include <troupe/actors/supervisor.hpp>
#include <troupe/http/echo.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/testing/memory_stream.hpp>
#include <troupe/testing/network.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe_test::certificates;

namespace {

enum class fault {
  none,
  bad_way,
  cut_after_bytes,
  cut,
  partition,
  server_cancelled,
  client_aborts
};
constexpr std::array all_faults{fault::none,         fault::bad_way,   fault::cut_after_bytes,
                                fault::cut,          fault::partition, fault::server_cancelled,
                                fault::client_aborts};

tls_server_context server_context() {
  tls_server_options o;
  tls_certificate c;
  c.chain_file = certificates::file("server.crt");
  c.key_file = certificates::file("server.key");
  o.certificates.push_back(c);
  return tls_server_context(o);
}

tls_client_context client_context() {
  tls_client_options o;
  o.ca_file = certificates::file("ca.crt");
  return tls_client_context(o);
}

/// A server and a client, and what goes wrong between them at some moment.
struct world {
  world(fault what, unsigned seed) : random(seed), what_(what) { // NOLINT: the same each time
    testing::network_options options;
    options.seed = seed;
    if (what == fault::bad_way) {
      options.links.jitter = 50ms;
      options.links.loss = 0.2;
      options.links.bandwidth = 100'000;
    }
    net = std::make_unique<testing::simulated_network>(options);
    net->add_host("server");
    net->add_host("client");
  }

  unsigned pick(unsigned n) { return static_cast<unsigned>(random() % n); }

  /// `client(hurt)` may do to its connection what `hurt` is for: `fault::client_aborts`.
  void play(const std::function<task<>()>& serve,
            const std::function<task<>(std::function<void()>&)>& client) {
    testing::virtual_clock time;
    run_options options;
    options.loops = 1;
    options.time = &time;
    options.network = net.get();
    serve_options quiet;
    run(options, [&]() -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        std::function<void()> abort;
        auto server = n.start_soon([&]() { return net->on("server", serve); });
        co_await sleep_for(1ms);
        n.start_service([&]() -> task<> {
          co_await sleep_for(std::chrono::microseconds(pick(300'000)));
          switch (what_) {
          case fault::cut: net->reset("client", "server"); break;
          case fault::partition:
            net->partition("client", "server");
            co_await sleep_for(5s);
            net->heal();
            break;
          case fault::server_cancelled: server.cancel(); break;
          case fault::client_aborts:
            if (abort)
              abort();
            break;
          default: break;
          }
        });
        if (what_ == fault::cut_after_bytes)
          net->reset_after("client", "server", 1 + pick(30'000));
        co_await net->on("client", [&]() { return client(abort); });
        server.cancel();
      });
    });
  }

  std::mt19937 random;
  std::unique_ptr<testing::simulated_network> net;

private:
  fault what_;
};

echo_options quiet_options() {
  echo_options o;
  o.serve.on_failure = [](const std::exception_ptr&, std::string_view) {};
  return o;
}

/// Sends pieces of text at random times and reads what comes meanwhile, as long as it goes.
task<> talk(stream& s, world& w, std::string& sent, std::string& got) {
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      try {
        for (int i = 0; i < 20; ++i) {
          std::string piece;
          for (unsigned k = 0, size = 1 + w.pick(3000); k < size; ++k)
            piece.push_back(static_cast<char>('a' + w.pick(26)));
          sent += piece;
          co_await s.write_all(piece);
          co_await sleep_for(std::chrono::milliseconds(w.pick(20)));
        }
        co_await s.send_eof();
      } catch (const net_error&) { // NOLINT(bugprone-empty-catch): cut off
      }
    });
    try {
      std::array<std::byte, 1000> buffer;
      while (const auto size = co_await s.read_some(buffer))
        got.append(reinterpret_cast<const char*>(buffer.data()), size);
    } catch (const std::system_error&) { // NOLINT(bugprone-empty-catch): cut off
    }
    n.cancel();
  });
}

template <class Open>
void check_prefix(const std::function<task<>(echo_options)>& serve, Open open) {
  for (const fault what : all_faults)
    for (unsigned seed = 1; seed <= 10; ++seed) {
      world w(what, seed);
      std::string sent, got;
      auto options = quiet_options();
      options.meter = std::make_shared<echo_meter>();
      w.play([&]() { return serve(options); },
             [&](std::function<void()>& abort) -> task<> {
               try {
                 auto s = co_await open();
                 abort = [&s] { s.abort(); };
                 co_await talk(s, w, sent, got);
                 abort = {};
               } catch (const std::system_error&) { // NOLINT(bugprone-empty-catch): never began
               }
             });
      BOOST_TEST(sent.starts_with(got), "fault " << static_cast<int>(what) << " seed " << seed);
      if (what == fault::none || what == fault::bad_way)
        BOOST_TEST(got.size() == sent.size(), "fault " << static_cast<int>(what));
      const auto counts = options.meter->statistics();
      BOOST_TEST(counts.bytes >= got.size());
      BOOST_TEST(counts.open == 0U);
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(echo_services)

BOOST_AUTO_TEST_CASE(p19_tcp_gives_back_a_prefix) {
  check_prefix(
    [](echo_options o) -> task<> {
      tcp_listener listener(7);
      co_await serve_echo(std::move(listener), std::move(o));
    },
    []() { return open_tcp_stream("server", 7); });
}

BOOST_AUTO_TEST_CASE(p19_tls_gives_back_a_prefix) {
  const auto server = server_context();
  const auto client = client_context();
  check_prefix(
    [&](echo_options o) -> task<> {
      tcp_listener listener(7);
      co_await serve_echo(std::move(listener), server, std::move(o));
    },
    [&]() -> task<tls_stream> {
      auto tcp = co_await open_tcp_stream("server", 7);
      co_return co_await tls_connect(std::move(tcp), "localhost", client);
    });
}

BOOST_AUTO_TEST_CASE(p19_websockets_give_back_the_first_messages) {
  for (const fault what : all_faults)
    for (unsigned seed = 1; seed <= 20; ++seed) {
      world w(what, seed);
      std::vector<std::string> sent, got;
      w.play(
        []() -> task<> {
          tcp_listener listener(7);
          http::websocket_server_options how;
          how.socket.deflate = true;
          co_await http::serve_echo(std::move(listener), how, quiet_options());
        },
        [&](std::function<void()>& abort) -> task<> {
          try {
            http::websocket_client_options options;
            options.socket.deflate = seed % 2 == 0;
            auto ws = co_await http::open_websocket("ws://server:7/", options);
            abort = [&ws] { ws.abort(); };
            co_await with_nursery([&](nursery& n) -> task<> {
              n.start_soon([&]() -> task<> {
                try {
                  for (int i = 0; i < 20; ++i) {
                    sent.push_back(std::string(w.pick(3000), static_cast<char>('a' + i)));
                    co_await ws.send_text(sent.back());
                    co_await sleep_for(std::chrono::milliseconds(w.pick(20)));
                  }
                } catch (const net_error&) { // NOLINT(bugprone-empty-catch): cut off
                }
              });
              while (got.size() < 20) {
                auto m = co_await ws.receive();
                if (!m)
                  break;
                got.push_back(std::move(m->data));
              }
              n.cancel();
            });
            abort = {};
            co_await ws.close();
          } catch (const net_error&) { // NOLINT(bugprone-empty-catch): cut off
          }
          abort = {};
        });
      BOOST_TEST(got.size() <= sent.size());
      for (std::size_t i = 0; i < got.size(); ++i)
        BOOST_TEST((got[i] == sent[i]), "fault " << static_cast<int>(what) << " message " << i);
      if (what == fault::none || what == fault::bad_way)
        BOOST_TEST(got.size() == 20U);
    }
}

BOOST_AUTO_TEST_CASE(p19_datagrams_come_back_as_they_were_or_not_at_all) {
  for (unsigned seed = 1; seed <= 10; ++seed) {
    world w(fault::none, seed);
    testing::link_options bad;
    bad.loss = bad.duplicate = bad.reorder = 0.2;
    bad.jitter = 10ms;
    w.net->link("client", "server", bad);
    w.net->link("server", "client", bad);
    const auto meter = std::make_shared<echo_meter>();
    w.play(
      [&]() -> task<> {
        auto options = quiet_options();
        options.meter = meter;
        udp_socket socket(7);
        co_await serve_echo(std::move(socket), options);
      },
      [&](std::function<void()>&) -> task<> {
        const auto to = (co_await resolve("server", 7)).front();
        udp_socket socket(0);
        udp_socket low(999);
        co_await low.send_to(to, "from another service");
        std::set<std::string> sent;
        std::size_t got = 0;
        for (int i = 0; i < 100; ++i) {
          const std::string text(w.pick(1000), static_cast<char>('a' + i % 26));
          sent.insert(text);
          co_await socket.send_to(to, text);
        }
        std::array<std::byte, 2000> buffer;
        co_await move_on_after(1s, [&]() -> task<> {
          for (;;) {
            const datagram d = co_await socket.receive(buffer);
            BOOST_TEST(sent.count(std::string(reinterpret_cast<const char*>(buffer.data()), d.size))
                       == 1U);
            ++got;
          }
        });
        BOOST_TEST(got > 20U);
        const bool answered = co_await move_on_after(
          1s, [&]() -> task<> { static_cast<void>(co_await low.receive(buffer)); });
        BOOST_TEST(!answered);
      });
  }
}

TROUPE_TEST_CASE(p19_unix_sockets_give_back_a_prefix, .virtual_time = false) {
  const troupe_test::temporary_directory folder;
  const std::string path = folder / "echo";
  for (const fault what : {fault::none, fault::server_cancelled, fault::client_aborts}) {
    world w(what, 1);
    std::string sent, got;
    co_await with_nursery([&](nursery& n) -> task<> {
      unix_listener listener(path);
      auto options = quiet_options();
      auto server =
        n.start_soon([&]() -> task<> { co_await serve_echo(std::move(listener), options); });
      auto s = co_await open_unix_stream(path);
      n.start_soon([&]() -> task<> {
        if (what == fault::none)
          co_return;
        while (got.empty())
          co_await sleep_for(1ms);
        if (what == fault::server_cancelled)
          server.cancel();
        else
          s.abort();
      });
      co_await talk(s, w, sent, got);
      n.cancel();
    });
    BOOST_TEST(sent.starts_with(got));
    if (what == fault::none)
      BOOST_TEST(got.size() == sent.size());
  }
}

TROUPE_TEST_CASE(all_five_are_children_of_one_supervisor, .virtual_time = false) {
  const troupe_test::temporary_directory folder;
  const std::string path = folder / "echo";
  std::array<echo_options, 5> options;
  for (auto& o : options)
    o.meter = std::make_shared<echo_meter>();
  const listen_options local{.address = "127.0.0.1"};
  const http::websocket_server_options how;
  const std::vector<child_spec> children{
    tcp_echo_child("tcp", 0, local, options[0]),
    tls_echo_child("tls", 0, local, server_context(), options[1]),
    udp_echo_child("udp", 0, "127.0.0.1", options[2]),
    unix_echo_child("unix", path, options[3]),
    http::websocket_echo_child("websocket", 0, local, how, options[4]),
  };
  supervisor_options supervising;
  co_await with_supervisor(supervising, [&](supervisor& s) -> task<> {
    for (const auto& c : children)
      co_await s.start_child(c);
    const auto ask = [](stream& on) -> task<> {
      co_await on.write_all("hello\n");
      buffered_reader in(on);
      BOOST_TEST(co_await in.read_until("\n") == "hello\n");
    };
    {
      auto tcp = co_await open_tcp_stream("127.0.0.1", options[0].meter->port());
      co_await ask(tcp);
      auto tls = co_await open_tls_stream("127.0.0.1", options[1].meter->port(), client_context());
      co_await ask(tls);
      co_await tls.close();
      auto unix = co_await open_unix_stream(path);
      co_await ask(unix);
      udp_socket udp(*socket_address::parse("127.0.0.1", options[2].meter->port()));
      co_await udp.send("hello");
      std::array<std::byte, 100> buffer;
      BOOST_TEST((co_await udp.receive(buffer)).size == 5U);
      auto ws = co_await http::open_websocket(
        "ws://127.0.0.1:" + std::to_string(options[4].meter->port()) + "/");
      co_await ws.send_text("hello");
      BOOST_TEST((co_await ws.receive())->data == "hello");
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([&]() -> task<> {
          const auto nothing = co_await ws.receive(); // a goodbye
          BOOST_TEST(!nothing);
          co_await ws.close(); // or the server waits a while for that
        });
        co_await s.stop_child("websocket");
      });
      co_await s.restart_child("websocket");
    }
    for (const auto& c : s.children())
      co_await s.stop_child(c.name);
  });
  for (const auto& o : options)
    BOOST_TEST(o.meter->statistics().messages == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
