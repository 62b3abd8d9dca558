// SPDX-License-Identifier: BSD-3-Clause
#include "fake_server.hpp"

#include <troupe/http/client_session.hpp>
#include <troupe/testing/boost_test.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

using namespace troupe;
using namespace troupe::http;
using namespace std::chrono_literals;
using troupe_test::fake_server;
using troupe_test::reply;
using troupe_test::with_server;

namespace {

bool is_late(const std::exception& e, const std::string& text) {
  const bool same = std::string_view(e.what()).starts_with(text);
  BOOST_TEST(same, e.what());
  return same;
}

/// One byte of the response, and of its body, every so often.
fake_server::connection_handler drips(duration every) {
  return [every](buffered_reader& in, testing::memory_stream& out, int) -> task<> {
    static_cast<void>(co_await troupe_test::read_request(in));
    for (const char c : reply("hello")) {
      co_await sleep_for(every);
      co_await out.write_all(std::string_view(&c, 1));
    }
  };
}

const fake_server::connection_handler silent = [](buffered_reader& in, testing::memory_stream&,
                                                  int) -> task<> {
  static_cast<void>(co_await troupe_test::read_request(in));
  co_await sleep_for(24h);
};

} // namespace

BOOST_AUTO_TEST_SUITE(http_client_limits)

TROUPE_TEST_CASE(the_total_limit_counts_to_the_end_of_the_body) {
  co_await with_server(drips(1s), [](fake_server&, client_session& session) -> task<> {
    client_request what("GET", "http://a.example/x");
    what.total_limit = 20s;
    BOOST_CHECK_EXCEPTION(co_await session.request(std::move(what)), timeout_error,
                          [](const timeout_error& e) {
                            return is_late(e, "GET http://a.example/x: no response within 20 s");
                          });
    client_request other("GET", "http://a.example/x");
    other.total_limit = 40s;
    const auto begin = current_time();
    auto answer = co_await session.request(std::move(other));
    BOOST_CHECK_EXCEPTION(co_await answer.text(), timeout_error, [](const timeout_error& e) {
      return is_late(e, "GET http://a.example/x: not done within 40 s");
    });
    BOOST_TEST((current_time() - begin == 40s));
    BOOST_TEST(session.statistics().connections == 0u);
    client_request enough("GET", "http://a.example/x");
    enough.total_limit = 60s;
    auto good = co_await session.request(std::move(enough));
    BOOST_TEST(co_await good.text() == "hello");
  });
}

TROUPE_TEST_CASE(the_read_limit_is_for_the_servers_silence) {
  co_await with_server(
    drips(1s),
    [](fake_server&, client_session& session) -> task<> {
      auto answer = co_await session.get("http://a.example/");
      BOOST_TEST(co_await answer.text() == "hello");
    },
    [](client_options& o) { o.timeouts.read = 2s; });
  co_await with_server(
    silent,
    [](fake_server&, client_session& session) -> task<> {
      const auto begin = current_time();
      BOOST_CHECK_EXCEPTION(co_await session.get("http://a.example/"), timeout_error,
                            [](const timeout_error& e) {
                              return is_late(e, "GET http://a.example/: no response for 2 s");
                            });
      BOOST_TEST((current_time() - begin == 2s + 1ms));
    },
    [](client_options& o) { o.timeouts.read = 2s; });
  co_await with_server(
    [](buffered_reader& in, testing::memory_stream& out, int) -> task<> {
      static_cast<void>(co_await troupe_test::read_request(in));
      co_await out.write_all("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
      co_await sleep_for(24h);
    },
    [](fake_server&, client_session& session) -> task<> {
      auto answer = co_await session.get("http://a.example/");
      BOOST_CHECK_EXCEPTION(co_await answer.text(), timeout_error, [](const timeout_error& e) {
        return is_late(e, "GET http://a.example/: nothing has come for 2500 ms");
      });
    },
    [](client_options& o) { o.timeouts.read = 2500ms; });
}

TROUPE_TEST_CASE(the_read_limit_waits_for_a_slow_upload) {
  co_await with_server(
    [](buffered_reader& in, testing::memory_stream& out, int) -> task<> {
      static_cast<void>(co_await in.read_until("0\r\n\r\n"));
      co_await sleep_for(1s);
      co_await out.write_all(reply("ok"));
      static_cast<void>(co_await in.read_until("0\r\n\r\n"));
      co_await sleep_for(3s);
    },
    [](fake_server&, client_session& session) -> task<> {
      const auto slow = []() -> async_generator<std::string> {
        for (int i = 0; i < 10; ++i) {
          co_await sleep_for(30s);
          co_yield std::string("x");
        }
      };
      client_request what("POST", "http://a.example/");
      what.total_limit = 1h;
      what.body = upload(slow());
      auto answer = co_await session.request(std::move(what));
      BOOST_TEST(co_await answer.text() == "ok");
      client_request again("POST", "http://a.example/");
      again.total_limit = 1h;
      again.body = upload(slow());
      const auto begin = current_time();
      BOOST_CHECK_EXCEPTION(co_await session.request(std::move(again)), timeout_error,
                            [](const timeout_error& e) {
                              return is_late(e, "POST http://a.example/: no response for 2 s");
                            });
      BOOST_TEST(((current_time() - begin) / 1ms) == 302'000);
    },
    [](client_options& o) { o.timeouts.read = 2s; });
}

TROUPE_TEST_CASE(the_connect_limit_is_for_one_connection) {
  co_await with_server(
    silent,
    [](fake_server&, client_session& session) -> task<> {
      const auto begin = current_time();
      BOOST_CHECK_EXCEPTION(
        co_await session.get("http://a.example/"), timeout_error, [](const timeout_error& e) {
          return is_late(e, "troupe: 'opening a connection of 'http://a.example'' did not end");
        });
      BOOST_TEST((current_time() - begin == 3s));
    },
    [](client_options& o) {
      o.timeouts.connect = 3s;
      o.connect = [](const url&) -> task<std::unique_ptr<stream>> {
        co_await sleep_for(24h);
        co_return nullptr;
      };
    });
}

TROUPE_TEST_CASE(waiting_for_a_connection_counts_for_the_total) {
  co_await with_server(
    silent,
    [](fake_server& server, client_session& session) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        for (int i = 0; i < 3; ++i)
          n.start_soon([&]() -> task<> {
            BOOST_CHECK_THROW(co_await session.get("http://a.example/"), timeout_error);
          });
        co_return;
      });
      BOOST_TEST(server.connections == 1);
      BOOST_TEST(session.statistics().connections == 0u);
    },
    [](client_options& o) {
      o.limit = 1;
      o.timeouts.total = 10s;
    });
}

TROUPE_TEST_CASE(cancelled_while_reading_nothing_is_lost) {
  co_await with_server(drips(1s), [](fake_server&, client_session& session) -> task<> {
    auto answer = co_await session.get("http://a.example/");
    std::string all;
    int cut_off = 0;
    while (!answer.finished()) {
      const bool done = co_await move_on_after(300ms, [&]() -> task<> {
        std::array<std::byte, 10> some{};
        const std::size_t n = co_await answer.read_some(some);
        all.append(reinterpret_cast<const char*>(some.data()), n);
      });
      cut_off += done ? 0 : 1;
    }
    BOOST_TEST(all == "hello");
    BOOST_TEST(cut_off > 5);
  });
}

TROUPE_TEST_CASE(more_than_the_limit_of_a_body_is_refused) {
  for (const bool chunked : {false, true})
    co_await with_server(
      [&](const std::string&) {
        const std::string text(2000, 'x');
        return chunked ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + text
                           + "\r\n0\r\n\r\n"
                       : reply(text);
      },
      [](fake_server&, client_session& session) -> task<> {
        for (const std::size_t limit : {0U, 1U, 1999U}) {
          auto answer = co_await session.get("http://a.example/");
          BOOST_CHECK_THROW(co_await answer.read_all(limit), body_too_large);
        }
        auto answer = co_await session.get("http://a.example/");
        BOOST_TEST((co_await answer.read_all(2000)).size() == 2000u);
        auto other = co_await session.get("http://a.example/");
        BOOST_CHECK_THROW(co_await other.text(), body_too_large);
      },
      [](client_options& o) { o.max_body = 1000; });
}

BOOST_AUTO_TEST_SUITE_END()
