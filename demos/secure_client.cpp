// SPDX-License-Identifier: BSD-3-Clause
// Says something to secure_server, which it knows by its certificate, chat.crt, alone.
// Try: secure_client [port [certificate [text]]]        with secure_server running
#include <troupe/troupe.hpp>

#include <iostream>
#include <string>
#include <vector>

using namespace troupe;

task<> parent(std::vector<std::string> args) {
  const int port = args.size() > 1 ? std::stoi(args[1]) : 9011;
  tls_client_options options;
  // the client must only have access to the certificate, not to the key
  options.ca_file = args.size() > 2 ? args[2] : "chat.crt";
  options.check_host = false; // it may be for any name: it is this one that is trusted
  const tls_client_context context(options);

  std::cout << "Connecting..." << std::endl;
  tls_stream server =
    co_await open_tls_stream("127.0.0.1", static_cast<std::uint16_t>(port), context);
  std::cout << "Connected to " << server.peer_certificate()->subject << " by " << server.version()
            << std::endl;
  const std::string text = args.size() > 3 ? args[3] : "blah blah blah";
  co_await server.write_all(text);
  co_await server.close(); // says goodbye, and waits for the server's
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
