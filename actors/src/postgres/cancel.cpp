// SPDX-License-Identifier: BSD-3-Clause
#include "libpq.hpp"

#include <troupe/stream.hpp>
#include <troupe/tcp.hpp>
#include <troupe/unix_socket.hpp>

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <span>

namespace troupe::postgres {

namespace {

/// The server's protocol, "CancelRequest": its length, a magic number, whom to stop, and the
/// secret that says that we may. The server answers by closing.
task<> send_request(stream& to, cancel_key key) {
  std::array<std::byte, 16> request{};
  const std::array<std::uint32_t, 4> words{16, 80877102, static_cast<std::uint32_t>(key.backend),
                                           static_cast<std::uint32_t>(key.secret)};
  for (std::size_t i = 0; i < words.size(); ++i)
    for (std::size_t byte = 0; byte < 4; ++byte)
      request[4 * i + byte] = static_cast<std::byte>(words[i] >> (24 - 8 * byte));
  co_await to.write_all(std::span<const std::byte>(request));
  std::array<std::byte, 16> rest{};
  for (;;) {
    const std::size_t size = co_await to.read_some(rest);
    if (size == 0)
      co_return;
  }
}

} // namespace

task<> connection::state::ask_to_stop() const {
  if (!key)
    throw connection_error(name + ": it is not known how to stop a statement");
  const std::string host = PQhost(conn.get());
  const std::string port = PQport(conn.get());
  if (host.starts_with('/') || host.starts_with('@')) {
    unix_stream to = co_await open_unix_stream(host + "/.s.PGSQL." + port);
    co_await send_request(to, *key);
  } else {
    std::uint16_t number = 0;
    std::from_chars(port.data(), port.data() + port.size(), number);
    tcp_stream to = co_await open_tcp_stream(socket_address(PQhostaddr(conn.get()), number));
    co_await send_request(to, *key);
  }
}

} // namespace troupe::postgres
