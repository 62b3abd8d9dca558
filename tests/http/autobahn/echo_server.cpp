// SPDX-License-Identifier: BSD-3-Clause
// The server that Autobahn's cases are run against: sends back each message as it came.
#include <troupe/http/echo.hpp>
#include <troupe/troupe.hpp>

#include <iostream>

using namespace troupe;

task<> serve() {
  tcp_listener listener(0, {.address = "127.0.0.1"});
  std::cout << listener.port() << std::endl;
  http::websocket_server_options how;
  how.socket.message_limit = how.socket.frame_limit = 32U << 20;
  how.socket.deflate = true;
  how.socket.deflate_from = 0;
  how.subprotocols = {"echo"};
  echo_options echo;
  co_await http::serve_echo(std::move(listener), how, echo);
}

int main(int argc, char** argv) { return troupe::main(argc, argv, serve); }
