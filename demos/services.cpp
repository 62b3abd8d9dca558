// SPDX-License-Identifier: BSD-3-Clause
// The whole thing in one process, under one supervision tree: a chat over TCP, over TLS and on a
// web page, and an echo. What crashes is started again; Ctrl-C says goodbye to all and ends. Try:
// services [chat port [tls port [web port [echo port [history file]]]]]
#include <troupe/actors/echo.hpp>
#include <troupe/actors/supervisor.hpp>
#include <troupe/chat/page.hpp>
#include <troupe/chat/service.hpp>
#include <troupe/http/router.hpp>
#include <troupe/http/server.hpp>
#include <troupe/troupe.hpp>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

void log(const std::string& what) { std::cout << what << std::endl; }

task<> hear_echo(tcp_stream& peer) {
  log("echo: " + peer.peer() + " has come");
  co_await echo(peer);
  log("echo: " + peer.peer() + " has left");
}

/// A port that the programs on this machine can reach.
class port_of {
public:
  port_of(const std::vector<std::string>& args, std::size_t index, int otherwise)
    : listener_(
      std::in_place,
      static_cast<std::uint16_t>(args.size() > index ? std::stoi(args[index]) : otherwise),
      listen_options{.address = "127.0.0.1"}),
      port_(listener_->port()) {}

  /// The listener; another one on the same port when the first has been used up by a crash.
  tcp_listener take() {
    if (listener_)
      return *std::exchange(listener_, std::nullopt);
    return tcp_listener(port_, listen_options{.address = "127.0.0.1"});
  }
  [[nodiscard]] std::string text() const { return std::to_string(port_); }

private:
  std::optional<tcp_listener> listener_;
  std::uint16_t port_;
};

/// A certificate that nobody needs to trust, for as long as this runs; nothing without openssl.
task<std::optional<tls_server_context>> throw_away_certificate() {
  const auto folder =
    std::filesystem::temp_directory_path() / ("troupe-" + std::to_string(::getpid()));
  const std::string key = folder / "key", certificate = folder / "certificate";
  std::optional<tls_server_context> context;
  try {
    std::filesystem::create_directory(folder);
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all);
    command make("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-x509", "-days", "30", "-subj",
                 "/CN=localhost", "-keyout", key, "-out", certificate);
    static_cast<void>(co_await run_process(make.check()));
    tls_server_options options;
    options.certificates.push_back({.chain_file = certificate, .key_file = key});
    options.shutdown_limit = 250ms; // a chat's clean-up has no time for who says no goodbye
    context.emplace(options);
  } catch (const std::exception& e) {
    log(std::string("no TLS: ") + e.what());
  }
  std::filesystem::remove_all(folder);
  co_return context;
}

task<> run_services(std::vector<std::string> args) {
  port_of chat_port(args, 1, 9011), tls_port(args, 2, 9012), web_port(args, 3, 8080),
    echo_port(args, 4, 12345);
  const auto certificate = co_await throw_away_certificate();

  chat::service_options options;
  options.log = [](const std::string& what) { log("chat: " + what); };
  options.on_line = [](const chat::history_line& line) {
    if (line.text == "crash!")
      throw std::runtime_error(line.nick + " wanted it");
  };
  chat::service chat(chat::open_history(args.size() > 5 ? args[5] : "chat.db"), options);
  http::router site;
  chat::add_page(site, chat);

  const auto child = [](std::string name, child_start start) {
    return child_spec{.name = std::move(name), .start = std::move(start), .grace = 1s};
  };
  std::vector<child_spec> children = {
    child("chat", [&](task_status<>& ready) { return chat.run(ready); }),
    child("chat by TCP", [&]() { return serve_listener(chat.tcp(), chat_port.take()); }),
    child("web page", [&]() { return http::serve(site, web_port.take()); }),
    child("echo", [&]() { return serve_listener(tcp_handler(hear_echo), echo_port.take()); }),
  };
  if (certificate)
    children.push_back(child("chat by TLS", [&]() {
      return serve_tls_listener(chat.tls(), tls_port.take(), *certificate);
    }));

  log("All is running. In a browser, and in other terminals:\n"
      "    http://localhost:"
      + web_port.text()
      + "/        the chat, as a web page\n"
        "    nc localhost "
      + chat_port.text()
      + "              the same chat: your nick name first, then /help\n"
        "    openssl s_client -quiet -connect localhost:"
      + tls_port.text()
      + "     the same over TLS\n"
        "    nc localhost "
      + echo_port.text()
      + "             an echo\n"
        "Say \"crash!\" in a room to hurt it: it comes back with all that were in it. What was "
        "said is\n"
        "still there when you start this again. Ctrl-C ends it and says goodbye.");

  supervisor_options tree;
  tree.name = "services";
  tree.on_event = [](const supervisor_event& e) {
    if (e.what != supervisor_event::kind::started && e.what != supervisor_event::kind::stopped)
      log(describe(e));
  };
  co_await with_cleanup([&]() -> task<> { co_await supervise(tree, children); },
                        []() -> task<> {
                          log("\nAll clients are gone, goodbye.");
                          co_return;
                        });
}

int main(int argc, char** argv) {
  raise_descriptor_limit();
  return troupe::main(argc, argv, run_services);
}
