// SPDX-License-Identifier: BSD-3-Clause
// P4 and P5 for HTTP servers and clients; see tests/runtime/awaitables_test.cpp.
#include "support/awaitable_trials.hpp"
#include "support/temporary_directory.hpp"

#include <troupe/http/client_session.hpp>
#include <troupe/http/gateway.hpp>
#include <troupe/http/router.hpp>
#include <troupe/http/server.hpp>
#include <troupe/http/static_files.hpp>
#include <troupe/testing/memory_stream.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe_test;

namespace {

using streams = std::pair<testing::memory_stream, testing::memory_stream>;

const std::string get_x = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string post_x = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n";

/// A connection of a server whose handler sleeps: the trial uses what the handler was given.
struct server_side {
  explicit server_side(const std::string& said) { ends.first.outgoing()->put(said); }
  task<> serve() { return http::serve_connection(ends.second, answer, options); }

  streams ends = testing::memory_stream_pair();
  std::shared_ptr<testing::memory_pipe> to_client = ends.second.outgoing();
  http::served_handler answer = [this](http::request& a, http::response& b) -> task<> {
    rq = &a;
    rs = &b;
    co_await sleep_forever();
  };
  http::server_options options;
  http::request* rq = nullptr;
  http::response* rs = nullptr;
};

using in_handler = std::function<task<>(server_side&)>;

/// What a handler does: at once, and so that it waits, if it can be either.
auto handling(const std::string& said, const in_handler& now, const in_handler& waiting) {
  return [=] {
    auto s = std::make_shared<server_side>(said);
    trial t;
    t.begin = [s](nursery& n) {
      n.start_soon([](std::shared_ptr<server_side> x) { return x->serve(); }, s);
    };
    if (now)
      t.now = [s, now] { return now(*s); };
    if (waiting)
      t.waiting = [s, waiting] { return waiting(*s); };
    t.untouched = [s] { return s->to_client->written() == 0; };
    return t;
  };
}

/// Of a handler that is called by a route, "/{path...}".
auto routed(const http::handler& h) {
  return [h](server_side& s) -> task<> {
    http::router app;
    app.add("*", "/{path...}", h);
    co_await app(*s.rq, *s.rs);
  };
}

task<> read_a_part(http::request& rq) {
  std::array<std::byte, 5> part{};
  static_cast<void>(co_await rq.read_some(part));
}

task<> upgrade(http::response& rs) {
  rs.headers.set("Upgrade", "something");
  static_cast<void>(co_await rs.upgrade());
}

const in_handler never;
const auto full = [](server_side& s) { s.to_client->capacity(0); };

// -- a client -----------------------------------------------------------------------------

/// A session whose servers say `said` at once, and nothing more.
struct client_side {
  explicit client_side(std::string said) : reply(std::move(said)) {
    options.connect = [this](const http::url&) -> task<std::unique_ptr<stream>> {
      auto [here, there] = testing::memory_stream_pair();
      there.outgoing()->put(reply);
      server.emplace(std::move(there));
      co_return std::make_unique<testing::memory_stream>(std::move(here));
    };
  }

  task<> run() {
    co_await http::with_client_session(options, [this](http::client_session& s) -> task<> {
      session = &s;
      if (!reply.empty())
        response.emplace(co_await s.get("http://a/"));
      co_await sleep_forever();
    });
  }

  std::string reply;
  http::client_options options;
  std::optional<testing::memory_stream> server;
  http::client_session* session = nullptr;
  std::optional<http::client_response> response;
};

using in_session = std::function<task<>(client_side&)>;

auto asking(const std::string& reply, const in_session& now, const in_session& waiting) {
  return [=] {
    auto c = std::make_shared<client_side>(reply);
    trial t;
    t.begin = [c](nursery& n) {
      n.start_soon([](std::shared_ptr<client_side> x) { return x->run(); }, c);
    };
    if (now)
      t.now = [c, now] { return now(*c); };
    if (waiting)
      t.waiting = [c, waiting] { return waiting(*c); };
    return t;
  };
}

const in_session silent;
const std::string ten = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";

task<> read_a_part(http::client_response& r) {
  std::array<std::byte, 5> part{};
  static_cast<void>(co_await r.read_some(part));
}

auto on_a_port(std::function<task<>()> op) {
  return [op = std::move(op)] {
    trial t;
    t.real_time = true;
    t.waiting = op;
    return t;
  };
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_awaitables)

BOOST_AUTO_TEST_CASE(p04_p05_requests) {
  const auto read_some = [](server_side& s) { return read_a_part(*s.rq); };
  const auto read_all = [](server_side& s) -> task<> {
    static_cast<void>(co_await s.rq->read_all());
  };
  run_trials({
    {"request::read_some", true, handling(post_x, never, read_some)},
    {"request::read_some (a part is there)", false, handling(post_x + "12345", read_some, never)},
    {"request::read_some (the end is there)", false, handling(get_x, read_some, never)},
    {"request::read_all", true, handling(post_x + "12345", never, read_all)},
    {"request::read_all (all is there)", false, handling(post_x + "1234567890", read_all, never)},
    {"request::read_all (there is none)", false, handling(get_x, read_all, never)},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_responses) {
  const auto write = [](server_side& s) -> task<> { co_await s.rs->write("text"); };
  const auto write_slowly = [write](server_side& s) {
    full(s);
    return write(s);
  };
  const auto upgrade_slowly = [](server_side& s) {
    full(s);
    return upgrade(*s.rs);
  };
  const std::string head = "HEAD" + get_x.substr(3);
  const std::string asks =
    get_x.substr(0, get_x.size() - 2) + "Connection: upgrade\r\nUpgrade: x\r\n\r\n";
  run_trials({
    {"response::write", true, handling(get_x, write, write_slowly)},
    {"response::write (nothing is to be sent)", true,
     [head] {
       trial t = handling(
         head,
         [](server_side& s) -> task<> {
           co_await shielded([&s]() { return s.rs->write("the head"); });
           co_await s.rs->write("more");
         },
         never)();
       t.untouched = {};
       return t;
     }},
    {"response::upgrade", true,
     handling(
       asks, [](server_side& s) { return upgrade(*s.rs); }, upgrade_slowly)},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_handlers) {
  const temporary_directory folder;
  make_file(folder / "x", "small");
  const http::handler files = http::static_files(folder.path());
  const http::application app = [](http::gateway_environ& env, const http::start_response& start) {
    const std::string body = env.read_all();
    start("200 OK", {});
    return http::gateway_body(body);
  };
  const http::handler gate = http::gateway(app);
  const auto in_real_time = [](auto make) {
    return [make] {
      trial t = make();
      t.real_time = true;
      return t;
    };
  };
  run_trials({
    {"router::operator ()", true,
     handling(get_x, never,
              routed([](http::request&, http::response&) -> task<> { co_await sleep_forever(); }))},
    {"router::operator () (the handler has no checkpoint)", false,
     handling(get_x, routed([](http::request&, http::response&) -> task<> { co_return; }), never)},
    {"static_files::operator ()", true, in_real_time(handling(get_x, routed(files), never))},
    {"gateway::operator ()", true, in_real_time(handling(get_x, routed(gate), never))},
    {"gateway::operator () (the application waits)", true,
     in_real_time(handling(post_x, never, routed(gate)))},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_servers) {
  run_trials({
    {"serve_connection", true,
     [] {
       auto s = std::make_shared<server_side>("");
       trial t;
       t.waiting = [s] { return s->serve(); };
       t.untouched = [s] { return s->to_client->written() == 0; };
       return t;
     }},
    {"serve", true, on_a_port([]() -> task<> {
       const listen_options local{.address = "127.0.0.1"};
       const http::served_handler nothing = http::router();
       co_await http::serve(nothing, tcp_listener(0, local));
     })},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_client_sessions) {
  run_trials({
    {"with_client_session", false,
     [] {
       trial t;
       t.now = []() -> task<> {
         co_await http::with_client_session([](http::client_session&) -> task<> { co_return; });
       };
       t.waiting = []() -> task<> {
         co_await http::with_client_session(
           [](http::client_session&) -> task<> { co_await sleep_forever(); });
       };
       return t;
     }},
    {"client_session::request", true,
     asking("", silent,
            [](client_side& c) -> task<> {
              http::client_request what("OPTIONS", "http://a/");
              static_cast<void>(co_await c.session->request(std::move(what)));
            })},
    {"client_session::get", true,
     asking(
       "", silent,
       [](client_side& c) -> task<> { static_cast<void>(co_await c.session->get("http://a/")); })},
    {"client_session::head", true,
     asking(
       "", silent,
       [](client_side& c) -> task<> { static_cast<void>(co_await c.session->head("http://a/")); })},
    {"client_session::post", true,
     asking("", silent,
            [](client_side& c) -> task<> {
              static_cast<void>(co_await c.session->post("http://a/", "x", "text/plain"));
            })},
    {"client_session::put", true,
     asking("", silent,
            [](client_side& c) -> task<> {
              static_cast<void>(co_await c.session->put("http://a/", "x", "text/plain"));
            })},
    {"client_session::remove", true,
     asking("", silent,
            [](client_side& c) -> task<> {
              static_cast<void>(co_await c.session->remove("http://a/"));
            })},
    {"client_session::get (answered at once)", true,
     asking(
       ten + "1234567890",
       [](client_side& c) -> task<> { static_cast<void>(co_await c.session->get("http://a/")); },
       silent)},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_client_responses) {
  const auto read_some = [](client_side& c) { return read_a_part(*c.response); };
  const auto read_all = [](client_side& c) -> task<> {
    static_cast<void>(co_await c.response->read_all(100));
  };
  const auto text = [](client_side& c) -> task<> {
    static_cast<void>(co_await c.response->text());
  };
  run_trials({
    {"client_response::read_some", true, asking(ten, silent, read_some)},
    {"client_response::read_some (a part is there)", false, asking(ten + "1", read_some, silent)},
    {"client_response::read_some (the end is there)", false,
     asking("HTTP/1.1 204 No Content\r\n\r\n", read_some, silent)},
    {"client_response::read_all", true, asking(ten + "1", silent, read_all)},
    {"client_response::read_all (all is there)", false,
     asking(ten + "1234567890", read_all, silent)},
    {"client_response::text", true, asking(ten + "1", silent, text)},
    {"client_response::text (all is there)", false, asking(ten + "1234567890", text, silent)},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_uploads) {
  run_trials({
    {"upload::next", true,
     [] {
       auto ends = std::make_shared<streams>(testing::memory_stream_pair());
       trial t;
       t.waiting = [ends]() -> task<> {
         http::upload body(ends->first);
         static_cast<void>(co_await body.next());
       };
       t.complete = [ends] { ends->second.outgoing()->put("x"); };
       return t;
     }},
    {"upload::next (of a text)", false,
     [] {
       trial t;
       t.now = []() -> task<> {
         http::upload body("text");
         static_cast<void>(co_await body.next());
       };
       return t;
     }},
  });
}

BOOST_AUTO_TEST_SUITE_END()
