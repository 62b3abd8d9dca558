// SPDX-License-Identifier: BSD-3-Clause
// P4 and P5 for PostgreSQL, with a server that says no more than the protocol asks for; see
// tests/runtime/awaitables_test.cpp.
#include "support/awaitable_trials.hpp"

#include <troupe/postgres/connection.hpp>
#include <troupe/postgres/transaction.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace troupe;
using namespace troupe_test;

namespace {

/// A message of a server: its kind, its length in four bytes, and what it says.
std::string message(char kind, std::string_view said) {
  const std::size_t size = said.size() + 4;
  std::string m(1, kind);
  for (const unsigned shift : {24U, 16U, 8U, 0U})
    m.push_back(static_cast<char>(size >> shift));
  return m.append(said);
}

const std::string ready = message('Z', "I");

std::string done(std::string_view command) {
  return message('C', std::string(command) + '\0') + ready;
}

struct situation {
  tcp_listener listener{0, listen_options{.address = "127.0.0.1"}};
  std::string where = "host=127.0.0.1 user=tester dbname=test sslmode=disable port="
                      + std::to_string(listener.port());
  std::optional<tcp_stream> server; // its end of the connection
  std::optional<postgres::connection> db;

  /// Opens `db`.
  task<> open() {
    co_await with_nursery([this](nursery& n) -> task<> {
      n.start_soon([this]() -> task<> {
        server.emplace(co_await listener.accept());
        std::array<std::byte, 1000> asked{};
        static_cast<void>(co_await server->read_some(asked));
        const std::string welcome = message('R', std::string(4, '\0')) + ready;
        co_await server->write_all(welcome);
      });
      // one that cannot be stopped is broken soon
      const postgres::connection_options options{.cancel_limit = std::chrono::milliseconds(10)};
      db.emplace(co_await postgres::open_connection(where, options));
    });
  }

  /// Answers each of what is asked by the next of `all`.
  task<> answer(std::vector<std::string> all) {
    std::array<std::byte, 1000> asked{};
    for (const std::string& one : all) {
      static_cast<void>(co_await server->read_some(asked));
      co_await server->write_all(one);
    }
  }
};

using operation = std::function<task<>(situation&)>;

/// With an open connection.
trial on(const std::shared_ptr<std::optional<situation>>& s) {
  trial t;
  t.real_time = true;
  t.setup = [s]() -> task<> {
    s->emplace();
    co_await (*s)->open();
  };
  return t;
}

/// `op` when it is answered so, and when it is not.
auto asks(const std::vector<std::string>& answers, const operation& op) {
  return [=] {
    auto s = std::make_shared<std::optional<situation>>();
    trial t = on(s);
    t.now = [s, op, answers]() -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_service([&]() -> task<> { co_await (*s)->answer(answers); });
        co_await op(**s);
      });
    };
    t.waiting = [s, op] { return op(**s); };
    return t;
  };
}

} // namespace

BOOST_AUTO_TEST_SUITE(postgres_awaitables)

BOOST_AUTO_TEST_CASE(p04_p05_statements) {
  run_trials({
    {"connection::query", true,
     asks({done("SELECT 0")},
          [](situation& s) -> task<> { static_cast<void>(co_await s.db->query("select $1", 1)); })},
    {"connection::query_with", true,
     asks(
       {done("SELECT 0")},
       [](situation& s) -> task<> { static_cast<void>(co_await s.db->query_with("select", {})); })},
    {"connection::execute", true,
     asks({done("SELECT 0")},
          [](situation& s) -> task<> { static_cast<void>(co_await s.db->execute("select")); })},
    {"connection::ping", true,
     asks({message('I', "") + ready}, [](situation& s) -> task<> { co_await s.db->ping(); })},
    {"connection::next_notification", true,
     [] {
       auto s = std::make_shared<std::optional<situation>>();
       const operation next = [](situation& x) -> task<> {
         static_cast<void>(co_await x.db->next_notification());
       };
       trial t = on(s);
       t.now = [s, next]() -> task<> {
         const std::string news = message('A', std::string("\0\0\0\1news\0hi\0", 12));
         co_await shielded([&]() { return (*s)->server->write_all(news); });
         co_await next(**s);
       };
       t.waiting = [s, next] { return next(**s); };
       return t;
     }},
    {"with_transaction", true,
     asks({done("BEGIN"), done("COMMIT")},
          [](situation& s) -> task<> {
            co_await postgres::with_transaction(*s.db, []() -> task<> { co_return; });
          })},
    {"open_connection", true,
     [] {
       auto s = std::make_shared<std::optional<situation>>();
       trial t;
       t.real_time = true;
       t.waiting = [s]() -> task<> {
         s->emplace();
         static_cast<void>(co_await postgres::open_connection((*s)->where));
       };
       return t;
     }},
  });
}

BOOST_AUTO_TEST_SUITE_END()
