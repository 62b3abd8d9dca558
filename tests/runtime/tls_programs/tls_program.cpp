// SPDX-License-Identifier: BSD-3-Clause
// A server and a client for tls_program_test.py, which has openssl and curl talk to them:
//   tls_program echo|http CHAIN KEY [CLIENT_CA [ALPN...]]
//   tls_program client PORT CA HOST TIMES [CERTIFICATE KEY [ALPN...]]
#include <troupe/troupe.hpp>

#include <iostream>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

task<> echo(tls_stream& peer) {
  std::cout << "hello " << peer.version() << " alpn=" << peer.alpn()
            << " reused=" << peer.session_reused() << " name=" << peer.server_name()
            << " from=" << (peer.peer_certificate() ? peer.peer_certificate()->subject : "nobody")
            << std::endl;
  std::array<std::byte, 4096> buffer;
  while (const auto n = co_await peer.read_some(buffer))
    co_await peer.write_all(std::span(buffer).first(n));
  std::cout << "clean end" << std::endl;
}

/// Answers each request with as many bytes as its path says.
task<> answer(tls_stream& peer) {
  buffered_reader in(peer);
  while (const auto request = co_await in.read_line()) {
    for (auto head = co_await in.read_line(); head && !head->empty();)
      head = co_await in.read_line();
    const std::string body(std::stoul(request->substr(request->find('/') + 1)), 'x');
    const std::string all =
      "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    co_await peer.write_all(all);
  }
}

task<> serve(std::vector<std::string> args) {
  tls_server_options o;
  o.certificates.resize(1);
  o.certificates[0].chain_file = args.at(2);
  o.certificates[0].key_file = args.at(3);
  if (args.size() > 4 && !args[4].empty()) {
    o.client_ca_file = args[4];
    o.clients = client_certificates::required;
  }
  for (std::size_t i = 5; i < args.size(); ++i)
    o.alpn.push_back(args[i]);
  const tls_server_context context(o);
  const listen_options where{.address = "127.0.0.1"};
  tcp_listener listener(0, where);
  std::cout << listener.port() << std::endl;
  serve_options options;
  options.on_failure = [](const std::exception_ptr& error, std::string_view) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      std::cout << "failure: " << e.what() << std::endl;
    }
  };
  const tls_handler handler(args[1] == "echo" ? echo : answer);
  co_await serve_tls_listener(handler, std::move(listener), context, options);
}

/// Says "ping", hears an echo, prints both ends' facts; so many times.
task<> call(std::vector<std::string> args) {
  tls_client_options o;
  o.ca_file = args.at(3);
  if (args.size() > 6 && !args[6].empty()) {
    o.certificate.chain_file = args[6];
    o.certificate.key_file = args.at(7);
  }
  for (std::size_t i = 8; i < args.size(); ++i)
    o.alpn.push_back(args[i]);
  const tls_client_context context(o);
  const auto port = static_cast<std::uint16_t>(std::stoi(args.at(2)));
  const std::string host = args.at(4);
  for (int i = 0; i < std::stoi(args.at(5)); ++i) {
    tcp_stream connection = co_await open_tcp_stream("127.0.0.1", port);
    tls_stream server = co_await tls_connect(std::move(connection), host, context);
    std::cout << "hello " << server.version() << " alpn=" << server.alpn()
              << " reused=" << server.session_reused() << " verified=" << server.peer_verified()
              << std::endl;
    buffered_reader lines(server);
    co_await server.write_all("ping\n");
    for (auto line = co_await lines.read_line(); line; line = co_await lines.read_line()) {
      std::cout << "heard " << *line << std::endl;
      if (*line == "gnip") // s_server -rev
        break;
    }
    co_await server.close();
  }
}

} // namespace

int main(int argc, char** argv) {
  const bool client = argc > 1 && std::string_view(argv[1]) == "client";
  return client ? troupe::main(argc, argv, call) : troupe::main(argc, argv, serve);
}
