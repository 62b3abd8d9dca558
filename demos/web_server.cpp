// SPDX-License-Identifier: BSD-3-Clause
// A web server: a page, a parameter in the path, a body that is counted while it comes, a stream of
// lines, and the files of a directory; what it was asked goes to stdout, a line of JSON each.
// Try: web_server [port [directory]]        and: curl localhost:9527/hello/you
#include <troupe/http/router.hpp>
#include <troupe/http/static_files.hpp>
#include <troupe/troupe.hpp>

#include <array>
#include <charconv>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

using namespace troupe;

task<> front_page(http::request&, http::response& rs) {
  rs.headers.set("Content-Type", "text/html");
  rs.body = "<html><body><h3>Hello World</h3></body></html>";
  co_return;
}

task<> hello(http::request& rq, http::response& rs) {
  rs.body = "Hello, " + std::string(rq.param("name")) + "!\n";
  co_return;
}

// However large: only a piece of it is in memory.
task<> count(http::request& rq, http::response& rs) {
  rq.body_limit(std::uint64_t{1} << 40U);
  std::array<std::byte, 16384> piece;
  std::uint64_t size = 0;
  while (const std::size_t n = co_await rq.read_some(piece))
    size += n;
  rs.body = std::to_string(size) + " bytes\n";
}

task<> clock_ticks(http::request& rq, http::response& rs) {
  const std::string_view n = rq.query().get("n", "5");
  int ticks = 0;
  const auto [end, error] = std::from_chars(n.data(), n.data() + n.size(), ticks);
  if (error != std::errc() || end != n.data() + n.size() || ticks > 100)
    throw http::http_error(400, "n is a number up to 100");
  for (int i = 1; i <= ticks; ++i) {
    co_await rs.write("tick " + std::to_string(i) + "\n");
    co_await sleep_for(std::chrono::milliseconds(100));
  }
}

task<> serve(std::vector<std::string> args) {
  const int port = args.size() > 1 ? std::stoi(args[1]) : 9527;
  http::router app;
  app.get("/", front_page).get("/hello/{name}", hello).get("/ticks", clock_ticks);
  app.post("/count", count).put("/count", count);
  app.get("/files/{path...}", http::static_files(args.size() > 2 ? args[2] : "."));

  http::server_options options;
  options.serve.drain_limit = std::chrono::seconds(5); // Ctrl-C lets requests finish
  options.on_access = [](const http::access_record& r) {
    std::cout << http::to_json(r) << std::endl;
  };
  tcp_listener listener(static_cast<std::uint16_t>(port), {.address = "127.0.0.1"});
  std::cout << "listening on " << listener.local() << ", Ctrl-C ends" << std::endl;
  co_await http::serve(app, std::move(listener), options);
}

int main(int argc, char** argv) {
  raise_descriptor_limit();
  return troupe::main(argc, argv, serve);
}
