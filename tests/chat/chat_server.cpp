// SPDX-License-Identifier: BSD-3-Clause
// A chat by TCP and as a web page, for tests that kill it: chat_server HISTORY_FILE [WEB_PORT]
// Says its ports.
#include <troupe/chat/page.hpp>
#include <troupe/chat/service.hpp>
#include <troupe/chat/sqlite_history.hpp>
#include <troupe/http/router.hpp>
#include <troupe/http/server.hpp>
#include <troupe/troupe.hpp>

#include <iostream>
#include <memory>
#include <string>
#include <vector>

using namespace troupe;

namespace {

task<> serve(std::vector<std::string> args) {
  const listen_options local{.address = "127.0.0.1"};
  tcp_listener text(0, local);
  const int web_port = args.size() > 2 ? std::stoi(args[2]) : 0;
  tcp_listener web(static_cast<std::uint16_t>(web_port), local);
  chat::service_options options;
  options.lines_per_second = 1000;
  options.burst = 1000;
  options.log = [](const std::string& what) { std::cerr << what << '\n'; };
  options.on_line = [](const chat::history_line& line) {
    if (line.text == "crash!")
      throw std::runtime_error("as was wished");
  };
  chat::service chat(std::make_unique<chat::sqlite_history>(args.at(1)), options);
  http::router site;
  chat::add_page(site, chat);
  co_await with_nursery([&](nursery& n) -> task<> {
    co_await n.start([&](task_status<>& ready) { return chat.run(ready); });
    std::cout << "tcp " << text.port() << " web " << web.port() << std::endl;
    n.start_soon([&]() { return serve_listener(chat.tcp(), std::move(text)); });
    co_await http::serve(site, std::move(web));
  });
}

} // namespace

int main(int argc, char** argv) {
  raise_descriptor_limit();
  return troupe::main(argc, argv, serve);
}
