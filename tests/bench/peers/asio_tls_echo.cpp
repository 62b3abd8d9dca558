// SPDX-License-Identifier: BSD-3-Clause
// The TLS echo server of tls_echo.cpp with Asio's callbacks. Prints its port.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <utility>

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

class session : public std::enable_shared_from_this<session> {
public:
  session(tcp::socket s, asio::ssl::context& context) : stream_(std::move(s), context) {
    stream_.next_layer().set_option(tcp::no_delay(true));
  }

  void start() {
    stream_.async_handshake(asio::ssl::stream_base::server,
                            [me = shared_from_this()](error_code e) {
                              if (!e)
                                me->read();
                            });
  }

private:
  void read() {
    stream_.async_read_some(asio::buffer(buffer_),
                            [me = shared_from_this()](error_code e, std::size_t n) {
                              if (!e)
                                me->write(n);
                            });
  }

  void write(std::size_t n) {
    asio::async_write(stream_, asio::buffer(buffer_.data(), n),
                      [me = shared_from_this()](error_code e, std::size_t) {
                        if (!e)
                          me->read();
                      });
  }

  asio::ssl::stream<tcp::socket> stream_;
  std::array<std::byte, 1024> buffer_;
};

void accept(tcp::acceptor& listener, asio::ssl::context& context) {
  listener.async_accept([&](error_code e, tcp::socket s) {
    if (!e)
      std::make_shared<session>(std::move(s), context)->start();
    accept(listener, context);
  });
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 3)
    return 2;
  asio::ssl::context context(asio::ssl::context::tls_server);
  context.use_certificate_chain_file(argv[1]);
  context.use_private_key_file(argv[2], asio::ssl::context::pem);
  asio::io_context io(1);
  tcp::acceptor listener(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  std::printf("%u\n", static_cast<unsigned>(listener.local_endpoint().port()));
  std::fflush(stdout);
  accept(listener, context);
  io.run();
}
