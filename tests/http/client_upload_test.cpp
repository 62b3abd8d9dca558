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

async_generator<std::string> numbers(int n, duration pause = duration::zero()) {
  for (int i = 0; i < n; ++i) {
    co_yield std::to_string(i) + " ";
    if (pause != duration::zero())
      co_await sleep_for(pause);
  }
}

std::string all_numbers(int n) {
  std::string all;
  for (int i = 0; i < n; ++i)
    all += std::to_string(i) + " ";
  return all;
}

/// Answers with the body it was sent, in whatever form.
task<> mirror(buffered_reader& in, testing::memory_stream& out, int) {
  for (;;) {
    const auto head = co_await as_outcome(in.read_until("\r\n\r\n"));
    if (!head)
      co_return;
    std::string body;
    if (const auto at = head.value().find("Content-Length: "); at != std::string::npos) {
      body = co_await in.read_exactly(std::stoul(head.value().substr(at + 16)));
    } else {
      for (std::size_t size = 1; size != 0;) {
        size = std::stoul(co_await in.read_until("\r\n"), nullptr, 16);
        body += co_await in.read_exactly(size);
        static_cast<void>(co_await in.read_exactly(2));
      }
    }
    const bool chunked = head.value().find("chunked") != std::string::npos;
    co_await out.write_all(reply(body, chunked ? "200 Chunks" : "200 Length"));
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_uploads)

TROUPE_TEST_CASE(bodies_are_texts_generators_or_streams) {
  const fake_server::connection_handler handler = mirror;
  co_await with_server(handler, [](fake_server& server, client_session& session) -> task<> {
    const auto comes_back = [&](upload body, std::string text, std::string how) -> task<> {
      auto answer = co_await session.post("http://a.example/", std::move(body), "text/plain");
      BOOST_TEST(answer.reason() == how);
      BOOST_TEST((co_await answer.text() == text));
    };
    co_await comes_back("short", "short", "Length");
    co_await comes_back("", "", "Length");
    co_await comes_back(std::string(1'000'000, 'x'), std::string(1'000'000, 'x'), "Length");
    co_await comes_back(upload(numbers(1000)), all_numbers(1000), "Chunks");
    co_await comes_back(upload(numbers(0)), "", "Chunks");
    co_await comes_back(upload(numbers(10), 20), all_numbers(10), "Length");
    co_await comes_back(upload(numbers(0), 0), "", "Length");
    for (const bool length_known : {false, true}) {
      auto [here, there] = testing::memory_stream_pair();
      const std::string text(100'000, 'y');
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([&]() -> task<> {
          co_await there.write_all(text);
          co_await there.send_eof();
        });
        std::optional<std::uint64_t> length;
        if (length_known)
          length = text.size();
        co_await comes_back(upload(here, length), text, length_known ? "Length" : "Chunks");
      });
    }
    BOOST_TEST(server.connections == 1);
  });
}

TROUPE_TEST_CASE(a_source_that_gives_more_or_less_than_it_has_said_fails_the_request) {
  const fake_server::connection_handler handler = mirror;
  co_await with_server(handler, [](fake_server&, client_session& session) -> task<> {
    for (const std::uint64_t length : {5U, 19U, 21U})
      BOOST_CHECK_THROW(
        co_await session.post("http://a.example/", upload(numbers(10), length), "text/plain"),
        client_error);
    BOOST_TEST(session.statistics().connections == 0u);
  });
}

TROUPE_TEST_CASE(what_a_source_throws_comes_out) {
  const fake_server::connection_handler handler = mirror;
  co_await with_server(handler, [](fake_server&, client_session& session) -> task<> {
    auto bad = []() -> async_generator<std::string> {
      co_yield std::string("one");
      throw std::domain_error("two is missing");
    };
    BOOST_CHECK_THROW(co_await session.post("http://a.example/", upload(bad()), "text/plain"),
                      std::domain_error);
    BOOST_TEST(session.statistics().connections == 0u);
  });
}

TROUPE_TEST_CASE(a_no_that_comes_early_ends_the_sending) {
  for (const bool text : {true, false})
    co_await with_server(
      [](buffered_reader& in, testing::memory_stream& out, int) -> task<> {
        static_cast<void>(co_await in.read_until("\r\n\r\n"));
        co_await out.write_all(reply("too large", "413 Content Too Large"));
        co_await sleep_for(1h);
      },
      [&](fake_server&, client_session& session) -> task<> {
        upload body = text ? upload(std::string(10'000'000, 'x')) : upload(numbers(1'000'000, 1ms));
        const auto begin = current_time();
        auto answer = co_await session.post("http://a.example/", std::move(body), "text/plain");
        BOOST_TEST((current_time() - begin < 1s));
        BOOST_TEST(answer.status() == 413);
        BOOST_TEST(co_await answer.text() == "too large");
        BOOST_TEST(session.statistics().connections == 0u); // nobody knows where it stands
      });
}

TROUPE_TEST_CASE(a_server_that_answers_and_cuts_the_upload_off_is_heard) {
  for (const std::size_t size : {10'000U, 10'000'000U})
    co_await with_server(
      [](buffered_reader& in, testing::memory_stream& out, int) -> task<> {
        static_cast<void>(co_await in.read_until("\r\n\r\n"));
        co_await out.write_all(reply("no", "403 Forbidden"));
        co_await out.close();
      },
      [&](fake_server&, client_session& session) -> task<> {
        auto answer =
          co_await session.post("http://a.example/", std::string(size, 'x'), "text/plain");
        BOOST_TEST(answer.status() == 403);
        BOOST_TEST(co_await answer.text() == "no");
      });
}

TROUPE_TEST_CASE(a_yes_that_comes_early_lets_the_sending_go_on) {
  std::size_t got = 0;
  co_await with_server(
    [&](buffered_reader& in, testing::memory_stream& out, int) -> task<> {
      static_cast<void>(co_await in.read_until("\r\n\r\n"));
      co_await out.write_all("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
      got = (co_await in.read_exactly(all_numbers(1000).size())).size();
      co_await out.write_all("ok");
    },
    [&](fake_server&, client_session& session) -> task<> {
      const std::uint64_t size = all_numbers(1000).size();
      auto answer =
        co_await session.put("http://a.example/", upload(numbers(1000, 1ms), size), "text/plain");
      BOOST_TEST(co_await answer.text() == "ok");
      BOOST_TEST(got == size);
    });
}

BOOST_AUTO_TEST_SUITE_END()
