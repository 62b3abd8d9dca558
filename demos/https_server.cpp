// SPDX-License-Identifier: BSD-3-Clause
// A web server over TLS, with the certificate chat.crt and the key chat.key:
//   openssl req -newkey rsa:2048 -nodes -keyout chat.key -x509 -days 365 -out chat.crt
// Try: https_server [port [certificate key]]        and: curl --cacert chat.crt
// https://localhost:4433
#include <troupe/http/router.hpp>
#include <troupe/tls.hpp>
#include <troupe/troupe.hpp>

#include <iostream>
#include <string>
#include <vector>

using namespace troupe;

task<> front_page(http::request& rq, http::response& rs) {
  // a handler sees the connection it is asked by
  const auto& connection = dynamic_cast<const tls_stream&>(rq.transport());
  std::cout << rq.peer() << " has come by " << connection.version() << std::endl;
  rs.headers.set("Content-Type", "text/html");
  rs.body = "<html><h1>Hello SSL</h1></html>";
  co_return;
}

task<> serve(std::vector<std::string> args) {
  const int port = args.size() > 1 ? std::stoi(args[1]) : 4433;
  tls_server_options tls;
  tls.certificates = {{.chain_file = args.size() > 2 ? args[2] : "chat.crt",
                       .key_file = args.size() > 3 ? args[3] : "chat.key"}};
  tls.alpn = {"http/1.1"};
  const tls_server_context context(tls);
  http::router app;
  app.get("/", front_page);
  tcp_listener listener(static_cast<std::uint16_t>(port), {.address = "127.0.0.1"});
  std::cout << "listening on " << listener.local() << ", Ctrl-C ends" << std::endl;
  co_await http::serve(app, std::move(listener), context);
}

int main(int argc, char** argv) {
  raise_descriptor_limit();
  return troupe::main(argc, argv, serve);
}
