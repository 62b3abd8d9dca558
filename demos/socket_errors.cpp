// SPDX-License-Identifier: BSD-3-Clause
// Each error that a socket may give, made to happen and handled by its type.
// Try: ./dev demo socket_errors
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

const listen_options local{.address = "127.0.0.1"};
const std::string localhost = "127.0.0.1";

struct two_ends {
  tcp_stream client;
  tcp_stream server;
};

task<two_ends> connected() {
  tcp_listener listener(0, local);
  tcp_stream client = co_await open_tcp_stream(localhost, listener.port());
  tcp_stream server = co_await listener.accept();
  co_return two_ends{std::move(client), std::move(server)};
}

task<> nobody_listens() {
  std::uint16_t port = 0;
  {
    const tcp_listener listener(0, local);
    port = listener.port();
  }
  co_await open_tcp_stream(localhost, port);
}

task<> no_such_name() {
  connect_options impatient;
  impatient.resolve.attempt_limit = 1s;
  impatient.resolve.attempts = 1;
  co_await open_tcp_stream("no-such-name.invalid", 80, impatient);
}

task<> port_is_taken() {
  const tcp_listener first(0, local);
  const tcp_listener second(first.port(), local);
  co_return;
}

task<> not_my_address() {
  const listen_options elsewhere{.address = "192.0.2.1"};
  const tcp_listener listener(0, elsewhere);
  co_return;
}

task<> peer_has_crashed() {
  auto ends = co_await connected();
  ends.client.abort();
  buffered_reader in(ends.server);
  co_await in.read_line();
}

task<> peer_has_left() {
  auto ends = co_await connected();
  ends.client.abort();
  const std::string much(1'000'000, 'x');
  for (;;)
    try {
      co_await ends.server.write_all(much);
    } catch (const connection_reset&) { // the first write may hear it so
    }
}

task<> peer_ends_too_early() {
  auto ends = co_await connected();
  co_await ends.client.write_all("abc");
  co_await ends.client.close();
  buffered_reader in(ends.server);
  co_await in.read_exactly(10);
}

task<> closed_here() {
  auto ends = co_await connected();
  co_await ends.server.close();
  co_await ends.server.write_all("x");
}

task<> peer_is_silent() {
  auto ends = co_await connected();
  buffered_reader in(ends.server);
  co_await fail_after(50ms, [&]() -> task<> { co_await in.read_line(); });
}

task<> two_readers() {
  auto ends = co_await connected();
  const auto read = [&]() -> task<> {
    buffered_reader in(ends.server);
    co_await in.read_line();
  };
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon(std::ref(read));
    n.start_soon(std::ref(read));
    co_return;
  });
}

task<> line_has_no_end() {
  auto ends = co_await connected();
  co_await ends.client.write_all(std::string(200, 'x'));
  buffered_reader in(ends.server, 100);
  co_await in.read_line();
}

task<> datagram_is_too_long() {
  udp_socket socket(0, localhost);
  const socket_address to = socket.local_address();
  const std::vector<std::byte> much(100'000);
  co_await socket.send_to(to, much);
}

/// By type, most telling first; all of the network are `net_error`, a `std::system_error`.
template <class F>
task<> handle(const char* what, F make_it_happen) {
  std::cout << what << ": ";
  try {
    co_await make_it_happen();
    std::cout << "went well?" << std::endl;
  } catch (const connection_refused& e) {
    std::cout << "connection_refused; try again later" << std::endl;
  } catch (const name_not_found& e) {
    std::cout << "name_not_found: " << e.address() << std::endl;
  } catch (const address_in_use&) {
    std::cout << "address_in_use; another program has it" << std::endl;
  } catch (const address_not_available&) {
    std::cout << "address_not_available; not on this machine" << std::endl;
  } catch (const connection_reset&) {
    std::cout << "connection_reset; the peer has crashed" << std::endl;
  } catch (const broken_pipe&) {
    std::cout << "broken_pipe; nobody reads any more" << std::endl;
  } catch (const incomplete_read_error& e) {
    std::cout << "incomplete_read_error; '" << e.partial() << "' of " << e.expected() << " bytes"
              << std::endl;
  } catch (const stream_closed&) {
    std::cout << "stream_closed; by this side" << std::endl;
  } catch (const message_too_long&) {
    std::cout << "message_too_long" << std::endl;
  } catch (const net_error& e) { // what has no type of its own still says all
    std::cout << e.what() << std::endl;
  } catch (const timeout_error& e) {
    std::cout << "timeout_error: " << e.what() << std::endl;
  } catch (const limit_overrun& e) {
    std::cout << "limit_overrun; more than " << e.limit() << " bytes" << std::endl;
  } catch (const usage_error& e) {
    std::cout << "usage_error: " << e.what() << std::endl;
  }
}

task<> parent() {
  co_await handle("nobody listens", nobody_listens);
  co_await handle("no such name", no_such_name);
  co_await handle("port is taken", port_is_taken);
  co_await handle("not my address", not_my_address);
  co_await handle("peer has crashed", peer_has_crashed);
  co_await handle("peer has left", peer_has_left);
  co_await handle("peer ends too early", peer_ends_too_early);
  co_await handle("closed here", closed_here);
  co_await handle("peer is silent", peer_is_silent);
  co_await handle("two readers", two_readers);
  co_await handle("line has no end", line_has_no_end);
  co_await handle("datagram is too long", datagram_is_too_long);

  // the form that does not throw
  const auto s = co_await as_outcome(open_tcp_stream(localhost, 1));
  if (s.code() == std::errc::connection_refused)
    std::cout << "as a value: " << s.code().message() << std::endl;
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
