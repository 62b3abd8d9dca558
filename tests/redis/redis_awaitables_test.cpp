// SPDX-License-Identifier: BSD-3-Clause
// P4 and P5 for Redis, in memory; see tests/runtime/awaitables_test.cpp.
#include "support/awaitable_trials.hpp"

#include <troupe/redis/client.hpp>
#include <troupe/redis/connection.hpp>
#include <troupe/testing/memory_stream.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe_test;

namespace {

redis::batch pings(int count) {
  redis::batch b;
  for (int i = 0; i < count; ++i)
    b.add("ping");
  return b;
}

/// A server that has said something, and is silent from then on.
struct situation {
  explicit situation(const std::string& said) {
    auto [here, there] = testing::memory_stream_pair();
    to_server = here.outgoing();
    there.outgoing()->put(said);
    server.emplace(std::move(there));
    db.emplace(std::make_unique<testing::memory_stream>(std::move(here)));
  }

  /// `db`, shared.
  task<> share() {
    co_await redis::with_client(std::move(*db), [this](redis::client& c) -> task<> {
      client = &c;
      co_await sleep_forever();
    });
  }

  std::optional<testing::memory_stream> server;
  std::shared_ptr<testing::memory_pipe> to_server;
  std::optional<redis::connection> db;
  redis::client* client = nullptr;
};

using operation = std::function<task<>(situation&)>;

/// The server's answer is there already.
auto answered(const std::string& said, const operation& op) {
  return [=] {
    auto s = std::make_shared<situation>(said);
    trial t;
    t.now = [s, op] { return op(*s); };
    t.untouched = [s] { return s->to_server->written() == 0; };
    return t;
  };
}

/// It never comes.
auto unanswered(const operation& op) {
  return [=] {
    auto s = std::make_shared<situation>("");
    trial t;
    t.waiting = [s, op] { return op(*s); };
    return t;
  };
}

auto shared(const operation& op) {
  return [=] {
    auto s = std::make_shared<situation>("");
    trial t;
    t.begin = [s](nursery& n) {
      n.start_soon([](std::shared_ptr<situation> x) { return x->share(); }, s);
    };
    t.waiting = [s, op] { return op(*s); };
    return t;
  };
}

} // namespace

BOOST_AUTO_TEST_SUITE(redis_awaitables)

BOOST_AUTO_TEST_CASE(p04_p05_connections) {
  const operation command = [](situation& s) -> task<> {
    static_cast<void>(co_await s.db->command("ping"));
  };
  const operation run = [](situation& s) -> task<> {
    static_cast<void>(co_await s.db->run(pings(2)));
  };
  const operation run_nothing = [](situation& s) -> task<> {
    static_cast<void>(co_await s.db->run(pings(0)));
  };
  const operation send = [](situation& s) -> task<> { co_await s.db->send(pings(1)); };
  const operation send_slowly = [](situation& s) -> task<> {
    s.to_server->capacity(0);
    co_await s.db->send(pings(1));
  };
  const operation receive = [](situation& s) -> task<> {
    static_cast<void>(co_await s.db->receive());
  };
  const operation next_message = [](situation& s) -> task<> {
    static_cast<void>(co_await s.db->next_message());
  };
  const std::string pong = "+PONG\r\n";
  const std::string message = "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n";
  run_trials({
    {"connection::command", true, answered(pong, command)},
    {"connection::command (unanswered)", true, unanswered(command)},
    {"connection::run", true, answered(pong + pong, run)},
    {"connection::run (unanswered)", true, unanswered(run)},
    {"connection::run (of nothing)", true, answered("", run_nothing)},
    {"connection::send", true, answered("", send)},
    {"connection::send (to who does not read)", true, unanswered(send_slowly)},
    {"connection::receive", true, answered(pong, receive)},
    {"connection::receive (unanswered)", true, unanswered(receive)},
    {"connection::next_message", true, answered(message, next_message)},
    {"connection::next_message (none comes)", true, unanswered(next_message)},
    {"open_connection", true, // the server accepts and says nothing
     [] {
       trial t;
       t.real_time = true;
       t.waiting = []() -> task<> {
         const listen_options local{.address = "127.0.0.1"};
         tcp_listener silent(0, local);
         const std::string where = "redis://:secret@127.0.0.1:" + std::to_string(silent.port());
         static_cast<void>(co_await redis::open_connection(where));
       };
       return t;
     }},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_clients) {
  run_trials({
    {"client::command", true,
     shared([](situation& s) -> task<> { static_cast<void>(co_await s.client->command("ping")); })},
    {"client::run", true,
     shared([](situation& s) -> task<> { static_cast<void>(co_await s.client->run(pings(2))); })},
    {"client::run (of nothing)", true,
     [] {
       trial t = shared(
         [](situation& s) -> task<> { static_cast<void>(co_await s.client->run(pings(0))); })();
       t.now = std::exchange(t.waiting, {});
       return t;
     }},
    {"client::write", true, unanswered([](situation& s) -> task<> {
       redis::client alone(std::move(*s.db), 1);
       co_await alone.write();
     })},
    {"client::read", true, unanswered([](situation& s) -> task<> {
       redis::client alone(std::move(*s.db), 1);
       co_await alone.read();
     })},
    {"with_client", true, unanswered([](situation& s) { return s.share(); })},
    {"with_client (whose body has no checkpoint)", false,
     answered("",
              [](situation& s) -> task<> {
                co_await redis::with_client(std::move(*s.db),
                                            [](redis::client&) -> task<> { co_return; });
              })},
  });
}

BOOST_AUTO_TEST_SUITE_END()
