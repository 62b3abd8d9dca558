// SPDX-License-Identifier: BSD-3-Clause
// asio_echo [bulk]: the TCP echo server of echo.cpp with Asio's callbacks. Prints its port.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <cstddef>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

std::size_t buffer_size = 1024;

class session : public std::enable_shared_from_this<session> {
public:
  explicit session(tcp::socket s) : socket_(std::move(s)) {
    socket_.set_option(tcp::no_delay(true));
  }

  void read() {
    socket_.async_read_some(asio::buffer(buffer_),
                            [me = shared_from_this()](error_code e, std::size_t n) {
                              if (!e)
                                me->write(n);
                            });
  }

private:
  void write(std::size_t n) {
    asio::async_write(socket_, asio::buffer(buffer_.data(), n),
                      [me = shared_from_this()](error_code e, std::size_t) {
                        if (!e)
                          me->read();
                      });
  }

  tcp::socket socket_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(buffer_size);
};

void accept(tcp::acceptor& listener) {
  listener.async_accept([&listener](error_code e, tcp::socket s) {
    if (!e)
      std::make_shared<session>(std::move(s))->read();
    accept(listener);
  });
}

} // namespace

int main(int argc, char**) {
  if (argc > 1) // bulk
    buffer_size = 65536;
  asio::io_context io(1);
  tcp::acceptor listener(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  std::printf("%u\n", static_cast<unsigned>(listener.local_endpoint().port()));
  std::fflush(stdout);
  accept(listener);
  io.run();
}
