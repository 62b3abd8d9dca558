// SPDX-License-Identifier: BSD-3-Clause
// The client that Autobahn's cases are run against: echo_client URL COUNT connects so often, and
// sends back each message as it came.
#include <troupe/http/echo.hpp>
#include <troupe/troupe.hpp>

#include <string>
#include <vector>

using namespace troupe;

task<> connect(std::vector<std::string> args) {
  http::websocket_client_options how;
  how.socket.message_limit = how.socket.frame_limit = 32U << 20;
  how.socket.deflate = true;
  how.socket.deflate_from = 0;
  how.subprotocols = {"echo"};
  const echo_options echo;
  for (int left = std::stoi(args.at(2)); left > 0; --left) {
    http::websocket ws = co_await http::open_websocket(args.at(1), how);
    try {
      co_await http::echo(ws, echo);
    } catch (const http::websocket_closed&) { // NOLINT(bugprone-empty-catch): for a reason
    }
    co_await ws.close();
  }
}

int main(int argc, char** argv) { return troupe::main(argc, argv, connect); }
