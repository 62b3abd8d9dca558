// SPDX-License-Identifier: BSD-3-Clause
// The chat server of `chat`, over TLS, and without a history; the certificate as for
// secure_server.
// Try: tls_chat [port [certificate key]]        and: openssl s_client -quiet -connect
// localhost:9011
#include <troupe/chat/service.hpp>
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>
#include <memory>
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

  chat::service_options chat_options;
  chat_options.log = [](const std::string& what) { std::cout << what << std::endl; };
  chat::service chat(std::make_unique<chat::memory_history>(), chat_options);
  co_await with_nursery([&](nursery& n) -> task<> {
    co_await n.start([&](task_status<>& ready) { return chat.run(ready); });
    co_await serve_tls_listener(chat.tls(), std::move(listener), context);
  });
}

int main(int argc, char** argv) {
  raise_descriptor_limit();
  return troupe::main(argc, argv, serve);
}
