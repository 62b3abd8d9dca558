// SPDX-License-Identifier: BSD-3-Clause
// Asio's operations awaited in tasks: timers, sockets, composed operations, Beast.
#include <troupe/asio.hpp>
#include <troupe/troupe.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <chrono>
#include <string>

using namespace troupe;
using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

namespace {

/// Both ends of a connection, as Asio's sockets.
struct connection {
  tcp::socket client{loop_executor()};
  tcp::socket server{loop_executor()};
};

task<> connect(connection& c) {
  tcp::acceptor acceptor(loop_executor(), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> { c.server = co_await acceptor.async_accept(use_task); });
    const tcp::endpoint to = acceptor.local_endpoint();
    co_await c.client.async_connect(to, use_task);
  });
}

} // namespace

BOOST_AUTO_TEST_SUITE(asio_operations)

BOOST_AUTO_TEST_CASE(timer_is_awaited_and_can_be_cancelled) {
  run([]() -> task<> {
    asio::steady_timer timer(loop_executor(), 1ms);
    co_await timer.async_wait(use_task);
    timer.expires_after(1h);
    BOOST_TEST(
      !co_await move_on_after(1ms, [&]() -> task<> { co_await timer.async_wait(use_task); }));
    // cancelled before it begins: it never does
    co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      s.cancel();
      co_await timer.async_wait(use_task);
      BOOST_ERROR("came back");
    });
    BOOST_TEST(timer.cancel() == 0U); // nobody waits
  });
}

BOOST_AUTO_TEST_CASE(errors_are_thrown_or_given) {
  run([]() -> task<> {
    asio::steady_timer timer(loop_executor(), 1h);
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        try {
          co_await timer.async_wait(use_task);
          BOOST_ERROR("not cancelled");
        } catch (const boost::system::system_error& e) { // by others: an error as any
          BOOST_TEST((e.code() == asio::error::operation_aborted));
        }
      });
      co_await checkpoint();
      co_await checkpoint();
      timer.cancel();
    });
    tcp::socket socket(loop_executor());
    std::array<char, 10> buffer{};
    const auto [error, size] =
      co_await socket.async_read_some(asio::buffer(buffer), asio::as_tuple(use_task));
    BOOST_TEST(error.failed());
    BOOST_TEST(size == 0U);
  });
}

BOOST_AUTO_TEST_CASE(composed_operations_work_and_are_cancelled) {
  run([]() -> task<> {
    connection c;
    co_await connect(c);
    const std::string text = "hello";
    const std::size_t written = co_await asio::async_write(c.client, asio::buffer(text), use_task);
    BOOST_TEST(written == 5U);
    std::array<char, 5> got{};
    BOOST_TEST(co_await asio::async_read(c.server, asio::buffer(got), use_task) == 5U);
    BOOST_TEST(std::string(got.data(), 5) == text);
    // with a part of what it reads for
    co_await asio::async_write(c.client, asio::buffer("abc", 3), use_task);
    BOOST_TEST(!co_await move_on_after(
      5ms, [&]() -> task<> { co_await asio::async_read(c.server, asio::buffer(got), use_task); }));
  });
}

BOOST_AUTO_TEST_CASE(other_executors_hand_over_to_the_loop) {
  run(run_options{.loops = 2}, []() -> task<> {
    const auto here = std::this_thread::get_id();
    asio::thread_pool pool(1);
    asio::steady_timer elsewhere(pool.get_executor(), 1ms);
    co_await elsewhere.async_wait(use_task);
    BOOST_TEST((std::this_thread::get_id() == here));
    co_await asio::post(pool.get_executor(), use_task);
    BOOST_TEST((std::this_thread::get_id() == here));
    // nobody may cancel it from here: waited for, and its result delivered
    bool came_back = false;
    co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      elsewhere.expires_after(5ms);
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([&]() -> task<> {
          co_await elsewhere.async_wait(use_task);
          came_back = true;
        });
        co_await checkpoint();
        co_await checkpoint();
        s.cancel();
      });
    });
    BOOST_TEST(came_back);
    pool.join();
  });
}

BOOST_AUTO_TEST_CASE(beast_speaks_http) {
  run([]() -> task<> {
    connection c;
    co_await connect(c);
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        boost::beast::flat_buffer buffer;
        http::request<http::string_body> request;
        co_await http::async_read(c.server, buffer, request, use_task);
        BOOST_TEST(request.target() == "/x");
        http::response<http::string_body> response(http::status::ok, request.version());
        response.body() = "here it is";
        response.prepare_payload();
        co_await http::async_write(c.server, response, use_task);
      });
      http::request<http::empty_body> request(http::verb::get, "/x", 11);
      co_await http::async_write(c.client, request, use_task);
      boost::beast::flat_buffer buffer;
      http::response<http::string_body> response;
      co_await http::async_read(c.client, buffer, response, use_task);
      BOOST_TEST(response.body() == "here it is");
    });
  });
}

BOOST_AUTO_TEST_CASE(executor_needs_a_task) { BOOST_CHECK_THROW(loop_executor(), usage_error); }

BOOST_AUTO_TEST_SUITE_END()
