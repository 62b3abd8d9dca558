// SPDX-License-Identifier: BSD-3-Clause
// P4 and P5 for chats; see tests/runtime/awaitables_test.cpp.
#include "support/awaitable_trials.hpp"
#include "support/temporary_directory.hpp"

#include <troupe/chat/connection.hpp>
#include <troupe/chat/page.hpp>
#include <troupe/chat/service.hpp>
#include <troupe/chat/sqlite_history.hpp>
#include <troupe/http/websocket_handshake.hpp>
#include <troupe/testing/memory_stream.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe_test;

namespace {

/// The connection of a client that has said `said`.
struct line {
  explicit line(const std::string& said) { ends.first.outgoing()->put(said); }

  std::pair<testing::memory_stream, testing::memory_stream> ends = testing::memory_stream_pair();
  std::shared_ptr<testing::memory_pipe> to_client = ends.second.outgoing();
  chat::text_connection client{ends.second, 100};
};

using operation = std::function<task<>(line&)>;

auto on_line(const std::string& said, const operation& before, const operation& now,
             const operation& waiting) {
  return [=] {
    auto l = std::make_shared<line>(said);
    trial t;
    if (before)
      t.setup = [l, before] { return before(*l); };
    if (now)
      t.now = [l, now] { return now(*l); };
    if (waiting)
      t.waiting = [l, waiting] { return waiting(*l); };
    t.untouched = [l] { return l->to_client->written() == 0; };
    return t;
  };
}

std::vector<chat::history_line> a_line() { return {{"lobby", 1, "ann", "hello"}}; }

using on_store = std::function<task<>(chat::history_store&)>;

const on_store appending = [](chat::history_store& s) { return s.append(a_line()); };
const on_store reading = [](chat::history_store& s) -> task<> {
  static_cast<void>(co_await s.recent("lobby", 5));
};
const on_store closing = [](chat::history_store& s) { return s.close(); };

/// On a store of SQLite's in `file`; `now`, as nobody can stop its thread on the way.
auto on_sqlite(const std::string& file, const on_store& op) {
  return [=] {
    auto store = std::make_shared<chat::sqlite_history>(file);
    trial t;
    t.real_time = true;
    t.now = [store, op] { return op(*store); };
    return t;
  };
}

auto in_memory(const on_store& op) {
  return [=] {
    auto store = std::make_shared<chat::memory_history>();
    trial t;
    t.now = [store, op] { return op(*store); };
    return t;
  };
}

std::unique_ptr<chat::history_store> no_past() { return std::make_unique<chat::memory_history>(); }

} // namespace

BOOST_AUTO_TEST_SUITE(chat_awaitables)

BOOST_AUTO_TEST_CASE(p04_p05_connections) {
  const operation read = [](line& l) -> task<> { static_cast<void>(co_await l.client.read()); };
  const operation read_one = [](line& l) -> task<> { static_cast<void>(co_await l.client.read()); };
  const operation flush = [](line& l) -> task<> {
    l.client.add({.text = "hello"});
    co_await l.client.flush();
  };
  const operation flush_slowly = [](line& l) -> task<> {
    l.to_client->capacity(0);
    l.client.add({.text = "hello"});
    co_await l.client.flush();
  };
  run_trials({
    {"connection::read", true, on_line("", {}, {}, read)},
    {"connection::read (a line is there)", false, on_line("one\ntwo\n", read_one, read, {})},
    {"connection::flush", true, on_line("", {}, flush, flush_slowly)},
    {"connection::flush (nothing was added)", false,
     on_line("", {}, [](line& l) { return l.client.flush(); }, {})},
    {"connection::close", false, on_line("", {}, [](line& l) { return l.client.close(); }, {})},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_histories) {
  const temporary_directory here;
  const std::string file = (here / "chat.db");
  run_trials({
    {"memory_history::append", true, in_memory(appending)},
    {"memory_history::recent", true, in_memory(reading)},
    {"memory_history::close", false, in_memory(closing)},
    {"sqlite_history::append", true, on_sqlite(file, appending)},
    {"sqlite_history::recent", true, on_sqlite(file, reading)},
    {"sqlite_history::close", true, on_sqlite(file, closing)},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_services) {
  run_trials({
    {"service::run", true,
     [] {
       trial t;
       t.real_time = true; // its end takes some rounds, which are only waited for there
       t.waiting = []() -> task<> {
         chat::service chat(no_past());
         co_await chat.run();
       };
       return t;
     }},
    {"service::talk", true,
     [] {
       auto chat = std::make_shared<chat::service>(no_past());
       auto l = std::make_shared<line>("");
       trial t;
       t.waiting = [chat, l] { return chat->talk(l->client); };
       return t;
     }},
    {"talk", true,
     [] {
       auto chat = std::make_shared<chat::service>(no_past());
       auto ends = std::make_shared<line>("");
       auto page = std::make_shared<std::optional<http::websocket>>();
       auto served = std::make_shared<std::optional<http::websocket>>();
       trial t;
       t.setup = [ends, page, served]() -> task<> {
         co_await with_nursery([&](nursery& n) -> task<> {
           n.start_soon([&]() -> task<> {
             const http::websocket_server_options how;
             *served = co_await http::accept_websocket(ends->ends.second, how);
           });
           const http::websocket_client_options how;
           *page = co_await http::connect_websocket(
             std::make_unique<testing::memory_stream>(std::move(ends->ends.first)), "ws://a/", how);
         });
       };
       t.waiting = [chat, ends, page, served] { return chat::talk(*chat, **served); };
       return t;
     }},
  });
}

BOOST_AUTO_TEST_SUITE_END()
