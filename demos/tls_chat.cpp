// SPDX-License-Identifier: BSD-3-Clause
// The chat server of `chat`, over TLS; the certificate as for secure_server.
// Try: tls_chat [port [certificate key]]        and: openssl s_client -quiet -connect
// localhost:9011
#include "chat_room.hpp"

#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

task<> serve(std::vector<std::string> args) {
  const int port = args.size() > 1 ? std::stoi(args[1]) : 9011;
  tls_server_options options;
  options.certificates.resize(1);
  options.certificates[0].chain_file = args.size() > 2 ? args[2] : "chat.crt";
  options.certificates[0].key_file = args.size() > 3 ? args[3] : "chat.key";
  options.shutdown_limit = 250ms; // a chat's clean-up has no time for who does not say goodbye
  const tls_server_context context(options);
  tcp_listener listener(static_cast<std::uint16_t>(port), {.address = "127.0.0.1"});
  std::cout << "listening on " << listener.local() << ", Ctrl-C ends" << std::endl;

  co_await with_nursery([&](nursery& n) -> task<> {
    const chat::hub::logger log = [](const std::string& what) { std::cout << what << std::endl; };
    const auto hub = n.start_actor(named("chat hub", chat::hub::run), log);
    co_await serve_tls_listener(chat::session::secure_handler(hub.address()), std::move(listener),
                                context);
  });
}

int main(int argc, char** argv) {
  raise_descriptor_limit();
  return troupe::main(argc, argv, serve);
}
