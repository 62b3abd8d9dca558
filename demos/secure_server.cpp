// SPDX-License-Identifier: BSD-3-Clause
// A server that says what it hears, over TLS, with the certificate chat.crt and the key chat.key:
//   openssl req -newkey rsa:2048 -nodes -keyout chat.key -x509 -days 365 -out chat.crt
// Try: secure_server [port [certificate key]]        and: openssl s_client -connect localhost:9011
#include <troupe/troupe.hpp>

#include <iostream>
#include <string>
#include <vector>

using namespace troupe;

task<> client_connected(tls_stream& peer) {
  std::cout << "Client connected from " << peer.peer() << ", " << peer.version() << ", "
            << peer.cipher() << std::endl;
  std::string buffer(1024, '\0');
  while (const auto n = co_await peer.read_some(std::as_writable_bytes(std::span(buffer))))
    std::cout << "received: " << std::string_view(buffer).substr(0, n) << std::endl;
  std::cout << "Client disconnected" << std::endl;
}

task<> serve(std::vector<std::string> args) {
  const int port = args.size() > 1 ? std::stoi(args[1]) : 9011;
  const tls_server_context context(args.size() > 2 ? args[2] : "chat.crt",
                                   args.size() > 3 ? args[3] : "chat.key");
  tcp_listener listener(static_cast<std::uint16_t>(port), {.address = "127.0.0.1"});
  std::cout << "listening on " << listener.local() << ", Ctrl-C ends" << std::endl;
  co_await serve_tls_listener(client_connected, std::move(listener), context);
}

int main(int argc, char** argv) { return troupe::main(argc, argv, serve); }
