// SPDX-License-Identifier: BSD-3-Clause
// P4 and P5 for TLS, as awaitables_test.cpp has it for the rest.
#include "support/awaitable_trials.hpp"
#include "support/tls_pair.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <optional>

using namespace troupe;
using troupe_test::certificates;
using troupe_test::run_trials;
using troupe_test::tls_pair;
using troupe_test::trial;

namespace {

struct situation {
  tls_client_context c{troupe_test::client_options()};
  tls_server_context s{troupe_test::server_options()};
  tls_pair p;
  std::optional<tcp_listener> listener;
};

/// With hands shaken.
template <class Operate>
auto on_pair(Operate operate) {
  return [operate] {
    auto s = std::make_shared<situation>();
    trial t;
    t.setup = [s]() -> task<> { co_await s->p.shake_hands(s->c, s->s); };
    t.waiting = [s, operate]() -> task<> { return operate(*s); };
    return t;
  };
}

/// Without.
template <class Operate>
auto on_wire(Operate operate) {
  return [operate] {
    auto s = std::make_shared<situation>();
    trial t;
    t.waiting = [s, operate]() -> task<> { return operate(*s); };
    return t;
  };
}

} // namespace

BOOST_AUTO_TEST_SUITE(tls_awaitables)

BOOST_AUTO_TEST_CASE(p04_p05_tls) {
  run_trials({
    {"tls_stream::read_some", true,
     [] {
       auto t = on_pair([](situation& s) -> task<> {
         static_cast<void>(co_await troupe_test::read_text(*s.p.client));
       })();
       return t;
     }},
    {"tls_stream::write_all", true, on_pair([](situation& s) -> task<> {
       const std::string much(1'000'000, 'x');
       co_await s.p.client->write_all(much);
     })},
    {"tls_stream::send_eof", true, on_pair([](situation& s) -> task<> {
       s.p.wire.to_server->capacity(0);
       co_await s.p.client->send_eof();
     })},
    {"tls_stream::close", true,
     on_pair([](situation& s) -> task<> { co_await s.p.client->close(); })},
    {"tls_connect", true, on_wire([](situation& s) -> task<> {
       static_cast<void>(co_await tls_connect(std::move(s.p.wire.client), "localhost", s.c));
     })},
    {"tls_accept", true, on_wire([](situation& s) -> task<> {
       static_cast<void>(co_await tls_accept(std::move(s.p.wire.server), s.s));
     })},
    {"open_tls_stream", true,
     [] {
       auto s = std::make_shared<situation>();
       trial t;
       t.real_time = true;
       t.setup = [s]() -> task<> {
         const listen_options local{.address = "127.0.0.1"};
         s->listener.emplace(std::uint16_t{0}, local);
         co_return;
       };
       t.waiting = [s]() -> task<> {
         const std::string host = "127.0.0.1";
         static_cast<void>(co_await open_tls_stream(host, s->listener->port(), s->c));
       };
       return t;
     }},
    {"serve_tls", true,
     [] {
       auto t = on_wire([](situation& s) -> task<> {
         const tls_handler handler = [](tls_stream&) -> task<> { co_return; };
         serve_options local;
         local.listen.address = "127.0.0.1";
         co_await serve_tls(handler, 0, s.s, local);
       })();
       t.real_time = true;
       return t;
     }},
    {"serve_tls_listener", true,
     [] {
       auto t = on_wire([](situation& s) -> task<> {
         const listen_options local{.address = "127.0.0.1"};
         tcp_listener listener(0, local);
         const tls_handler handler = [](tls_stream&) -> task<> { co_return; };
         co_await serve_tls_listener(handler, std::move(listener), s.s);
       })();
       t.real_time = true;
       return t;
     }},
  });
}

BOOST_AUTO_TEST_CASE(p05_what_has_come_already_is_read_at_a_checkpoint) {
  troupe_test::with_tls_pair([](tls_pair& p) -> task<> {
    co_await p.server->write_all("abcd");
    BOOST_TEST(co_await troupe_test::read_text(*p.client, 2) == "ab");
    co_await with_cancel_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await troupe_test::read_text(*p.client);
      BOOST_ERROR("the read came back");
    });
    BOOST_TEST(co_await troupe_test::read_text(*p.client) == "cd");
    co_await p.server->send_eof();
    BOOST_TEST(co_await troupe_test::read_text(*p.client) == "");
    co_await with_cancel_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await troupe_test::read_text(*p.client);
      BOOST_ERROR("the read at the end came back");
    });
    co_await with_cancel_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await p.client->write_all("");
      BOOST_ERROR("the write came back");
    });
    co_await p.client->write_all("nothing was lost"); // nor half written
    BOOST_TEST(co_await troupe_test::read_text(*p.server) == "nothing was lost");
  });
}

BOOST_AUTO_TEST_SUITE_END()
