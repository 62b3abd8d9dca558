// SPDX-License-Identifier: BSD-3-Clause
// What a server offers: SNI, ALPN, reload, resumption; and serve_tls with bad clients.
#include "support/loopback.hpp"
#include "support/stream_pair.hpp"
#include "support/tls_pair.hpp"

#include <troupe/testing/wait_all_tasks_blocked.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe_test;
using troupe::testing::run_virtually;
using namespace std::chrono_literals;

namespace {

/// What a connection that was made says.
struct facts {
  std::string subject, alpn, version;
  bool reused = false;
};

task<facts> meet(tls_client_context c, tls_server_context s, std::string host = "localhost") {
  tls_pair p;
  co_await p.shake_hands(c, s, host);
  if (p.client_error)
    std::rethrow_exception(p.client_error);
  co_await p.server->write_all("tickets come before this");
  co_await read_text(*p.client);
  BOOST_TEST(p.client->session_reused() == p.server->session_reused());
  BOOST_TEST(p.client->alpn() == p.server->alpn());
  facts f;
  f.subject = p.client->peer_certificate()->subject;
  f.alpn = p.client->alpn();
  f.version = p.client->version();
  f.reused = p.client->session_reused();
  co_return f;
}

/// A TLS server on a port, for the time of `body`.
void with_server(std::function<task<>(std::uint16_t, std::vector<std::string>&)> body,
                 tls_handler handler = echo, tls_server_options s = server_options(),
                 bool virtually = false) {
  const auto root = [&]() -> task<> {
    tcp_listener listener(0, loopback);
    const auto port = listener.port();
    std::vector<std::string> reports;
    const tls_server_context context(s);
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        serve_options options;
        options.on_failure = [&](const std::exception_ptr& e, std::string_view) {
          reports.push_back(what(e));
        };
        co_await serve_tls_listener(handler, std::move(listener), context, options);
      });
      co_await body(port, reports);
      n.cancel();
    });
  };
  if (virtually)
    run_virtually(root);
  else
    run(root);
}

task<> check_echo(std::uint16_t port) {
  const tls_client_context c(client_options());
  tls_stream client = co_await open_tls_stream("127.0.0.1", port, c);
  co_await client.write_all("alive");
  BOOST_TEST(co_await read_text(client) == "alive");
  co_await client.close();
}

} // namespace

BOOST_AUTO_TEST_SUITE(tls_server)

BOOST_AUTO_TEST_CASE(the_certificate_is_chosen_by_the_name_asked_for) {
  auto o = server_options();
  o.certificates.push_back(certificate("other"));
  o.certificates.push_back(certificate("alt"));
  run_virtually([&]() -> task<> {
    const tls_client_context c(client_options());
    const tls_server_context s(o);
    BOOST_TEST((co_await meet(c, s, "localhost")).subject == "CN=server,O=troupe");
    BOOST_TEST((co_await meet(c, s, "other.example")).subject == "CN=other,O=troupe");
    BOOST_TEST((co_await meet(c, s, "alt.example")).subject == "CN=alt,O=troupe");
    BOOST_TEST((co_await meet(c, s, "any.wild.example")).subject == "CN=alt,O=troupe");
    BOOST_TEST((co_await meet(c, s, "127.0.0.1")).subject == "CN=server,O=troupe"); // asks for none
    BOOST_CHECK_THROW(co_await meet(c, s, "nobody.example"), certificate_error);
  });
}

BOOST_AUTO_TEST_CASE(the_protocol_is_agreed_on) {
  auto o = server_options();
  o.alpn = {"h2", "http/1.1"};
  const auto with = [&](std::vector<std::string> protocols) {
    auto c = client_options();
    c.alpn = std::move(protocols);
    return tls_client_context(c);
  };
  const auto both = with({"http/1.1", "h2"});
  const auto old = with({"http/1.0", "http/1.1"});
  const auto none = with({});
  const auto other = with({"smtp"});
  run_virtually([&]() -> task<> {
    const tls_server_context s(o);
    BOOST_TEST((co_await meet(both, s)).alpn == "h2");
    BOOST_TEST((co_await meet(old, s)).alpn == "http/1.1");
    BOOST_TEST((co_await meet(none, s)).alpn == "");
    try {
      co_await meet(other, s);
      BOOST_ERROR("they agreed");
    } catch (const tls_error& e) {
      BOOST_TEST(std::string(e.what()).starts_with(
        "cannot do the TLS handshake with localhost (the server): the other side speaks none of "
        "our application protocols"));
    }
  });
}

BOOST_AUTO_TEST_CASE(reload_changes_new_connections_and_failing_changes_nothing) {
  const auto folder = std::filesystem::path(certificates::file("live"));
  std::filesystem::create_directory(folder);
  const auto put = [&](const std::string& name, const char* kind) {
    std::filesystem::copy_file(certificates::file(name + kind),
                               folder / ("live" + std::string(kind)),
                               std::filesystem::copy_options::overwrite_existing);
  };
  put("server", ".crt");
  put("server", ".key");
  run_virtually([&]() -> task<> {
    const tls_client_context c(client_options());
    tls_server_context s((folder / "live.crt").string(), (folder / "live.key").string());
    const tls_server_context copy = s;
    tls_pair old;
    co_await old.shake_hands(c, s);
    BOOST_TEST((co_await meet(c, copy)).subject == "CN=server,O=troupe");
    put("renewed", ".crt");
    BOOST_TEST((co_await meet(c, copy)).subject == "CN=server,O=troupe"); // not yet
    BOOST_CHECK_THROW(s.reload(), tls_error); // the key is still the old one
    BOOST_TEST((co_await meet(c, copy)).subject == "CN=server,O=troupe");
    put("renewed", ".key");
    s.reload();
    BOOST_TEST((co_await meet(c, copy)).subject == "CN=renewed,O=troupe");
    std::filesystem::remove(folder / "live.crt");
    BOOST_CHECK_THROW(s.reload(), tls_error);
    BOOST_TEST((co_await meet(c, copy)).subject == "CN=renewed,O=troupe");
    co_await old.server->write_all("goes on");
    BOOST_TEST(co_await read_text(*old.client) == "goes on");
  });
}

BOOST_AUTO_TEST_CASE(sessions_are_resumed) {
  run_virtually([]() -> task<> {
    tls_server_context s(server_options());
    const tls_client_context c(client_options());
    BOOST_TEST(!(co_await meet(c, s)).reused);
    const facts again = co_await meet(c, s);
    BOOST_TEST(again.reused);
    BOOST_TEST(again.subject == "CN=server,O=troupe"); // still known
    for (int i = 0; i < 10; ++i)
      BOOST_TEST((co_await meet(c, s)).reused);
    BOOST_TEST(!(co_await meet(c, s, "127.0.0.1")).reused); // another host
    const tls_client_context another(client_options());
    BOOST_TEST(!(co_await meet(another, s)).reused);
    s.reload();
    BOOST_TEST(!(co_await meet(c, s)).reused);
    BOOST_TEST((co_await meet(c, s)).reused);

    auto never = client_options();
    never.resume = false;
    const tls_client_context forgetful(never);
    co_await meet(forgetful, s);
    BOOST_TEST(!(co_await meet(forgetful, s)).reused);
    auto o = server_options();
    o.resume = false;
    const tls_server_context strict(o);
    const tls_client_context fresh(client_options());
    co_await meet(fresh, strict);
    BOOST_TEST(!(co_await meet(fresh, strict)).reused);
  });
}

BOOST_AUTO_TEST_CASE(sessions_with_a_client_certificate_are_resumed) {
  auto o = server_options();
  o.clients = client_certificates::required;
  o.client_ca_file = certificates::file("ca.crt");
  auto with = client_options();
  with.certificate = certificate("client");
  run_virtually([&]() -> task<> {
    const tls_server_context s(o);
    const tls_client_context c(with);
    BOOST_TEST(!(co_await meet(c, s)).reused);
    BOOST_TEST((co_await meet(c, s)).reused);
    tls_pair p;
    co_await p.shake_hands(c, s);
    BOOST_TEST(p.server->session_reused());
    BOOST_TEST(p.server->peer_verified());
    BOOST_TEST(p.server->peer_certificate()->subject == "CN=client,O=troupe");
  });
}

BOOST_AUTO_TEST_CASE(a_client_can_insist_on_1_3) {
  run_virtually([]() -> task<> {
    auto o = client_options();
    o.minimum = tls_version::v1_3;
    BOOST_TEST((co_await meet(tls_client_context(o), tls_server_context(server_options()))).version
               == "TLSv1.3");
  });
}

BOOST_AUTO_TEST_CASE(serves_closes_and_reports_what_fails) {
  const auto handler = [](tls_stream& s) -> task<> {
    const std::string said = co_await read_text(s);
    if (said == "throw")
      throw std::runtime_error("as asked");
    co_await s.write_all("done");
  };
  with_server(
    [](std::uint16_t port, std::vector<std::string>& reports) -> task<> {
      const tls_client_context c(client_options());
      tls_stream good = co_await open_tls_stream("127.0.0.1", port, c);
      co_await good.write_all("x");
      BOOST_TEST(co_await read_all(good) == "done"); // a clean end
      tls_stream bad = co_await open_tls_stream("127.0.0.1", port, c);
      co_await bad.write_all("throw");
      BOOST_CHECK_THROW(co_await read_all(bad), tls_truncated);
      BOOST_TEST(reports == std::vector<std::string>(1, "as asked"));
      { tls_stream leaver = co_await open_tls_stream("127.0.0.1", port, c); }
      { tcp_stream scanner = co_await open_tcp_stream("127.0.0.1", port); }
      tls_stream last = co_await open_tls_stream("127.0.0.1", port, c);
      co_await last.write_all("x");
      BOOST_TEST(co_await read_all(last) == "done");
      BOOST_TEST(reports.size() == 1U);
    },
    handler);
}

BOOST_AUTO_TEST_CASE(garbage_instead_of_a_hello_is_answered_by_an_alert_and_reported) {
  std::vector<std::string> kinds = {
    "GET / HTTP/1.1\r\n\r\n",
    "SSH-2.0-OpenSSH_9.2\r\n",
    std::string("\x16\x03\x01\x00\x04\x01\x00\x00\x00", 9),
    std::string(1000, '\0'),
    std::string("\x16\x03\x01\xff\xff", 5),
  };
  kinds.back().resize(70'000, 'x');
  with_server([&](std::uint16_t port, std::vector<std::string>& reports) -> task<> {
    std::size_t expected = 0;
    for (const std::string& garbage : kinds) {
      tcp_stream client = co_await open_tcp_stream("127.0.0.1", port);
      std::string got;
      try {
        co_await client.write_all(garbage);
        got = co_await read_text(client);
      } catch (const net_error&) { // NOLINT(bugprone-empty-catch): it did not read all of it
      }
      while (reports.size() == expected)
        co_await checkpoint();
      ++expected;
      BOOST_TEST(reports.size() == expected);
      BOOST_TEST(reports.back().starts_with("cannot do the TLS handshake with 127.0.0.1:"));
      if (garbage.size() < 1000) {
        BOOST_TEST(got.size() == 7U); // a fatal alert
        BOOST_TEST(got.substr(0, 2) == "\x15\x03");
        BOOST_TEST(got[5] == 2);
      }
    }
    BOOST_TEST(reports.front().ends_with("what came is not TLS, or is damaged"));
    co_await check_echo(port);
  });
}

BOOST_AUTO_TEST_CASE(a_hello_with_any_byte_changed_does_no_harm) {
  run_virtually([]() -> task<> {
    const tls_client_context c(client_options());
    const tls_server_context s(server_options());
    std::string hello;
    co_await with_nursery([&](nursery& n) -> task<> {
      memory_wire wire;
      auto client = n.start_soon(
        [&]() -> task<> { co_await tls_connect(std::move(wire.client), "localhost", c); });
      while (wire.to_server->bytes().empty())
        co_await checkpoint();
      hello = wire.to_server->bytes();
      client.cancel();
      co_await checkpoint();
      co_await checkpoint();
    });
    BOOST_TEST(hello.size() > 200U);
    for (std::size_t i = 0; i < 2 * hello.size(); ++i) {
      memory_wire wire;
      std::string bytes = hello;
      bytes[i / 2] = static_cast<char>(bytes[i / 2] ^ (i % 2 == 0 ? 0x01 : 0x80));
      wire.to_server->bytes(std::move(bytes));
      wire.to_server->end();
      try {
        co_await tls_accept(std::move(wire.server), s);
        BOOST_ERROR("hands were shaken without a client");
      } catch (const tls_error&) { // NOLINT(bugprone-empty-catch): of whatever kind
      }
    }
  });
}

BOOST_AUTO_TEST_CASE(serves_on_all_loops) {
  std::array<std::atomic<int>, 3> on_loop{};
  std::atomic<int> failures = 0;
  run(run_options{.loops = 3}, [&]() -> task<> {
    tcp_listener listener(0, loopback);
    const auto port = listener.port();
    const tls_server_context context(server_options());
    const tls_client_context c(client_options());
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        serve_options options;
        options.spread = true;
        options.on_failure = [&](const std::exception_ptr&, std::string_view) { ++failures; };
        const auto handler = [&](tls_stream& peer) -> task<> {
          ++on_loop[detail::loop::current()->index()];
          co_await echo(peer);
        };
        co_await serve_tls_listener(handler, std::move(listener), context, options);
      });
      std::vector<tls_stream> clients;
      for (int i = 0; i < 12; ++i) {
        clients.push_back(co_await open_tls_stream("127.0.0.1", port, c));
        co_await clients.back().write_all("hello");
        BOOST_TEST(co_await read_text(clients.back()) == "hello");
      }
      for (tls_stream& client : clients)
        co_await client.close();
      n.cancel();
    });
  });
  for (const auto& count : on_loop)
    BOOST_TEST(count == 4);
  BOOST_TEST(failures == 0);
}

BOOST_AUTO_TEST_CASE(soft_stop_does_not_wait_for_handshakes) {
  run_virtually([]() -> task<> {
    tcp_listener listener(0, loopback);
    const auto port = listener.port();
    const tls_server_context context(server_options());
    const auto begin = current_time();
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        serve_options options;
        options.on_failure = [](const std::exception_ptr& e, std::string_view) {
          BOOST_TEST(what(e) == "nothing fails");
        };
        co_await serve_tls_listener(echo, std::move(listener), context, options);
      });
      tcp_stream silent = co_await open_tcp_stream("127.0.0.1", port);
      co_await silent.write_all("\x16");
      co_await testing::wait_all_tasks_blocked();
      n.stop(1h);
      BOOST_TEST(co_await read_text(silent) == "");
    });
    BOOST_TEST((current_time() - begin < 1s));
  });
}

BOOST_AUTO_TEST_CASE(a_client_that_is_too_slow_for_the_handshake_is_left) {
  auto o = server_options();
  o.handshake_limit = 2s;
  run_virtually([&]() -> task<> { // a slow-loris: a byte of a good hello a second
    tls_pair p;
    const tls_server_context s(o);
    auto to_server = p.wire.to_server;
    to_server->put({"\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03", 11});
    to_server->piece(1);
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_service([&]() -> task<> {
        for (;;) {
          co_await sleep_for(1s);
          to_server->put("x");
        }
      });
      BOOST_CHECK_THROW(
        co_await fail_after(o.handshake_limit,
                            [&] { return tls_accept(std::move(p.wire.server), s); }),
        timeout_error);
    });
  });
  // and so in serve_tls
  with_server(
    [](std::uint16_t port, std::vector<std::string>& reports) -> task<> {
      tcp_stream slow = co_await open_tcp_stream("127.0.0.1", port);
      co_await slow.write_all("\x16");
      BOOST_TEST(co_await read_text(slow) == "");
      BOOST_TEST(reports.size() == 1U);
      BOOST_TEST(reports.back().find("the TLS handshake with 127.0.0.1:") != std::string::npos);
    },
    echo, o, true);
}

BOOST_AUTO_TEST_CASE(p19_resets_in_mid_stream_do_not_harm_the_server) {
  with_server([](std::uint16_t port, std::vector<std::string>& reports) -> task<> {
    const tls_client_context c(client_options());
    const std::string much(1'000'000, 'x');
    for (int i = 0; i < 5; ++i) {
      tls_stream client = co_await open_tls_stream("127.0.0.1", port, c);
      co_await with_nursery([&](nursery& n) -> task<> {
        auto writer = n.start_soon([&]() -> task<> { co_await client.write_all(much); });
        BOOST_TEST(co_await read_text(client, 10) == much.substr(0, 10));
        writer.cancel();
      });
      client.abort();
    }
    co_await check_echo(port);
    BOOST_TEST(reports.empty());
  });
}

BOOST_AUTO_TEST_SUITE_END()
