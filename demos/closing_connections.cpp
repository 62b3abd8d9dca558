// SPDX-License-Identifier: BSD-3-Clause
// Who closes a connection, how, and what the other side sees of it.
// Try: ./dev demo closing_connections
// With a port it serves one way of closing for each connection: nc localhost 12349, then type
// close, eof, abort or leave.
#include <troupe/troupe.hpp>

#include <iostream>
#include <string>
#include <vector>

using namespace troupe;

/// What is still to come, up to the end.
task<std::string> rest(stream& from) {
  buffered_reader in(from);
  co_return co_await in.read_to_end(1000);
}

task<> serve_one(tcp_stream& peer) {
  buffered_reader in(peer);
  const auto how = co_await in.read_line();
  if (!how) { // the client has ended its direction without a word
    co_await peer.write_all("you have left\n");
  } else if (*how == "close") { // what was written still arrives
    co_await peer.write_all("closing\n");
    co_await peer.close();
  } else if (*how == "eof") { // this direction ends, the other one goes on
    co_await peer.write_all("I have nothing more to say\n");
    co_await peer.send_eof();
    const std::string last_words = co_await in.read_to_end(1000);
    std::cout << "server: the client went on with " << last_words.size() << " bytes" << std::endl;
  } else if (*how == "abort") { // the other side gets an error
    peer.abort();
  } else {
    co_await peer.write_all("how?\n");
  } // returning closes, too
}

task<> show(std::uint16_t port, std::string how) {
  tcp_stream server = co_await open_tcp_stream("127.0.0.1", port);
  co_await server.write_all(how + "\n");
  try {
    buffered_reader in(server);
    while (const auto line = co_await in.read_line())
      std::cout << how << ": the server says '" << *line << "'" << std::endl;
    std::cout << how << ": the server has ended its direction" << std::endl;
    if (how == "eof")
      co_await server.write_all("but I have\n");
  } catch (const connection_reset& e) {
    std::cout << how << ": " << e.operation() << " has failed: connection reset" << std::endl;
  }
}

task<> parent(std::vector<std::string> args) {
  if (args.size() > 1) {
    tcp_listener listener(static_cast<std::uint16_t>(std::stoi(args[1])), {.address = "127.0.0.1"});
    std::cout << "listening on " << listener.local() << ", Ctrl-C ends" << std::endl;
    co_await serve_listener(serve_one, std::move(listener));
  }
  tcp_listener listener(0, {.address = "127.0.0.1"});
  const auto port = listener.port();
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> { co_await serve_listener(serve_one, std::move(listener)); });
    for (const char* how : {"close", "eof", "abort", "leave"})
      co_await show(port, how);

    tcp_stream client = co_await open_tcp_stream("127.0.0.1", port);
    co_await client.send_eof(); // the client ends first, and still hears the answer
    std::cout << "client's end: " << co_await rest(client);
    co_await client.close();
    co_await client.close(); // again does no harm
    try {
      co_await client.write_all("too late");
    } catch (const stream_closed&) {
      std::cout << "after close: stream_closed" << std::endl;
    }
    n.stop(std::chrono::seconds(1)); // no new connections; those that there are may end
  });
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
