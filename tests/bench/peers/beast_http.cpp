// SPDX-License-Identifier: BSD-3-Clause
// The HTTP server of Boost.Beast's example http_server_async, on one thread: answers "Hello,
// World!" with the headers that the others send. Prints its port.
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>

namespace beast = boost::beast;
namespace http = beast::http;
namespace net = boost::asio;
using tcp = net::ip::tcp;

namespace {

std::string date() {
  static std::time_t when = 0;
  static std::string text;
  if (const std::time_t now = std::time(nullptr); now != when) {
    char buffer[64];
    std::tm utc{};
    gmtime_r(&now, &utc);
    std::strftime(buffer, sizeof buffer, "%a, %d %b %Y %H:%M:%S GMT", &utc);
    text = buffer;
    when = now;
  }
  return text;
}

class session : public std::enable_shared_from_this<session> {
public:
  explicit session(tcp::socket&& socket) : stream_(std::move(socket)) {}

  void run() { read(); }

private:
  void read() {
    request_ = {};
    stream_.expires_after(std::chrono::seconds(30));
    http::async_read(stream_, buffer_, request_,
                     beast::bind_front_handler(&session::on_read, shared_from_this()));
  }

  void on_read(beast::error_code ec, std::size_t) {
    if (ec)
      return close();
    response_ = {http::status::ok, request_.version()};
    response_.set(http::field::date, date());
    response_.set(http::field::content_type, "text/plain; charset=utf-8");
    response_.keep_alive(request_.keep_alive());
    response_.body() = "Hello, World!";
    response_.prepare_payload();
    http::async_write(stream_, response_,
                      beast::bind_front_handler(&session::on_write, shared_from_this()));
  }

  void on_write(beast::error_code ec, std::size_t) {
    if (ec || response_.need_eof())
      return close();
    read();
  }

  void close() {
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  http::request<http::string_body> request_;
  http::response<http::string_body> response_;
};

class listener : public std::enable_shared_from_this<listener> {
public:
  explicit listener(net::io_context& context)
    : acceptor_(context, {net::ip::make_address("127.0.0.1"), 0}) {
    std::printf("%u\n", static_cast<unsigned>(acceptor_.local_endpoint().port()));
    std::fflush(stdout);
  }

  void accept() {
    acceptor_.async_accept([self = shared_from_this()](beast::error_code ec, tcp::socket socket) {
      if (!ec) {
        socket.set_option(tcp::no_delay(true));
        std::make_shared<session>(std::move(socket))->run();
      }
      self->accept();
    });
  }

private:
  tcp::acceptor acceptor_;
};

} // namespace

int main() {
  net::io_context context{1};
  std::make_shared<listener>(context)->accept();
  context.run();
}
