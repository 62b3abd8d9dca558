// SPDX-License-Identifier: BSD-3-Clause
// Five echo services under one supervisor: TCP, TLS, UDP, a Unix socket, WebSockets. TLS needs the
// certificate chat.crt and the key chat.key (see secure_server), or others. Ctrl-C ends them and
// says what went through. Port 0 takes any five that are free.
// Try: echo_services [port [path [certificate key]]]   and what it says in other terminals
#include <troupe/actors/supervisor.hpp>
#include <troupe/http/echo.hpp>
#include <troupe/troupe.hpp>

#include <array>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

using namespace troupe;

const listen_options local{.address = "127.0.0.1"};

echo_options options_of(const std::string& name) {
  echo_options o;
  o.serve.name = name + " echo";
  o.idle_limit = std::chrono::minutes(10);
  o.datagrams_per_second = 10'000;
  o.meter = std::make_shared<echo_meter>();
  return o;
}

void say_how(const std::string& kind, const echo_options& o, const std::string& command) {
  const std::string port = std::to_string(o.meter->port());
  std::cout << kind << " on 127.0.0.1:" << port << "    " << command << port << std::endl;
}

void report(const std::string& kind, const echo_options& o) {
  const echo_statistics s = o.meter->statistics();
  std::cout << kind << ": " << s.connections << " connections, " << s.messages << " messages, "
            << s.bytes << " bytes\n";
}

task<> serve(std::vector<std::string> args) {
  const int first = args.size() > 1 ? std::stoi(args[1]) : 12345;
  const auto port = [first](int i) {
    return static_cast<std::uint16_t>(first == 0 ? 0 : first + i);
  };
  const std::string path = args.size() > 2 ? args[2] : "@troupe-echo";
  const bool has_certificate = args.size() > 4;
  const tls_server_context tls(has_certificate ? args[3] : "chat.crt",
                               has_certificate ? args[4] : "chat.key");
  const auto tcp_options = options_of("TCP"), tls_options = options_of("TLS"),
             udp_options = options_of("UDP"), unix_options = options_of("Unix"),
             web_options = options_of("WebSocket");
  const http::websocket_server_options how;
  const std::array children{
    tcp_echo_child("TCP echo", port(0), local, tcp_options),
    tls_echo_child("TLS echo", port(1), local, tls, tls_options),
    udp_echo_child("UDP echo", port(2), local.address, udp_options),
    http::websocket_echo_child("WebSocket echo", port(3), local, how, web_options),
    unix_echo_child("Unix echo", path, unix_options),
  };
  const supervisor_options supervising;
  co_await with_cleanup(
    [&]() -> task<> {
      co_await with_supervisor(supervising, [&](supervisor& s) -> task<> {
        for (const child_spec& c : children)
          co_await s.start_child(c);
        say_how("TCP", tcp_options, "nc 127.0.0.1 ");
        say_how("TLS", tls_options, "openssl s_client -quiet -connect localhost:");
        say_how("UDP", udp_options, "nc -u 127.0.0.1 ");
        say_how("WebSocket", web_options, "websocket_client hello ws://localhost:");
        std::cout << "Unix socket " << path << "    socat - "
                  << (path.starts_with('@') ? "ABSTRACT-CONNECT:" + path.substr(1)
                                            : "UNIX-CONNECT:" + path)
                  << "\nCtrl-C ends" << std::endl;
      });
    },
    [&]() -> task<> {
      std::cout << '\n';
      report("TCP", tcp_options);
      report("TLS", tls_options);
      report("UDP", udp_options);
      report("WebSocket", web_options);
      report("Unix", unix_options);
      co_return;
    });
}

int main(int argc, char** argv) {
  raise_descriptor_limit();
  return troupe::main(argc, argv, serve);
}
