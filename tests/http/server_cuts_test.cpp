// SPDX-License-Identifier: BSD-3-Clause
// Connections that are cut off at each checkpoint, and that have no memory at each allocation.
#include <troupe/http/router.hpp>
#include <troupe/testing/injection.hpp>
#include <troupe/testing/memory_stream.hpp>
#include <troupe/testing/replace_new.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <string>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

task<> stream_back(http::request& rq, http::response& rs) {
  std::array<std::byte, 5> piece{};
  while (const std::size_t n = co_await rq.read_some(piece))
    co_await rs.write(std::span(piece).first(n));
}

task<> hello(http::request& rq, http::response& rs) {
  co_await checkpoint();
  rs.body = "hello, " + std::string(rq.param("name")) + std::string(5000, 'x');
}

/// What the access log was told, over all runs.
struct told {
  int begun = 0;
  int logged = 0;
};

task<> converse(told& t) {
  http::router app;
  app.post("/stream", stream_back).get("/hello/{name}", hello);
  app.wrap([&t](http::request& rq, http::response& rs, const http::handler& next) -> task<> {
    ++t.begun;
    co_await next(rq, rs);
  });
  http::server_options options;
  options.on_access = [&t](const http::access_record&) { ++t.logged; };
  options.on_failure = [](const std::exception_ptr&, const http::access_record&) {};
  const http::served_handler answer = app;
  auto ends = testing::memory_stream_pair();
  for (const auto& pipe : {ends.first.outgoing(), ends.first.incoming()}) {
    pipe->piece(50);
    pipe->before_read = pipe->before_write = []() -> task<> { co_await checkpoint(); };
  }
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon(
      [&]() -> task<> { co_await http::serve_connection(ends.second, answer, options); });
    try {
      co_await ends.first.write_all(
        "POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        "\r\nc\r\nHello, World\r\n0\r\n\r\n"
        "GET /hello/you HTTP/1.1\r\nHost: a\r\n\r\n"
        "GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      buffered_reader reader(ends.first);
      static_cast<void>(co_await reader.read_to_end(100'000));
    } catch (const net_error&) { // cut off for want of memory
    }
    ends.first.abort();
  });
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_server_cuts)

BOOST_AUTO_TEST_CASE(p24_connection_is_cut_off_at_each_checkpoint) {
  for (const auto how : {testing::cut::scope, testing::cut::task, testing::cut::sibling}) {
    testing::checkpoint_options options;
    options.how = how;
    told t;
    const auto all_logged = [&](const testing::injection& run) {
      BOOST_TEST_CONTEXT("cut off after " << run.point << " steps")
      BOOST_TEST(t.logged >= t.begun); // each request, once
      t = {};
    };
    const std::size_t points =
      testing::for_each_checkpoint([&]() { return converse(t); }, all_logged, options);
    BOOST_TEST(points > 10U);
  }
}

BOOST_AUTO_TEST_CASE(p24_connection_stands_having_no_memory) {
  told t;
  const auto nothing = [](const testing::injection&) {};
  const std::size_t points =
    testing::for_each_allocation([&]() { return converse(t); }, nothing, {});
  BOOST_TEST(points > 10U);
}

BOOST_AUTO_TEST_SUITE_END()
