// SPDX-License-Identifier: BSD-3-Clause
// Sends a text to a WebSocket, says what comes back, and says goodbye.
// Try: websocket_client hello ws://localhost:12348        with echo_services in another terminal
#include <troupe/http/websocket_handshake.hpp>
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

using namespace troupe;

task<> talk(std::vector<std::string> args) {
  if (args.size() != 3)
    throw usage_error("websocket_client TEXT URL");
  http::websocket_client_options options;
  options.socket.deflate = true;
  options.socket.keepalive = heartbeat_options{};
  auto ws = co_await http::open_websocket(args[2], options);
  co_await ws.send_text(args[1]);
  const auto answer = co_await fail_after(
    std::chrono::seconds(10), [&]() { return ws.receive(); }, "the answer");
  std::cout << (answer ? answer->data : "closed") << std::endl;
  co_await ws.close();
}

int main(int argc, char** argv) { return troupe::main(argc, argv, talk); }
