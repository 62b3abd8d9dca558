// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/descriptor_stream.hpp>
#include <troupe/net_error.hpp>
#include <troupe/resolve.hpp>
#include <troupe/socket_address.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace troupe {

/// When the system asks whether the other side of a silent connection is still there.
struct keepalive_options {
  duration idle = std::chrono::seconds(60);     ///< silent for so long; whole seconds
  duration interval = std::chrono::seconds(10); ///< between two questions; whole seconds
  int count = 5;                                ///< unanswered: `connection_timeout`
};

/// A TCP connection. Small writes are sent at once (`TCP_NODELAY`).
class tcp_stream final : public descriptor_stream {
public:
  using descriptor_stream::descriptor_stream;

  /// Whether small writes are sent at once. Throws `net_error`.
  void no_delay(bool on);

  /// Has the system look after a silent connection. Throws `net_error`.
  void keepalive(const keepalive_options& options);
};

/// How a connection is opened.
struct connect_options {
  /// How long an address may keep the next one waiting: RFC 8305's "connection attempt delay".
  duration attempt_delay = std::chrono::milliseconds(250);
  std::string local_address = {}; ///< numeric; to come from
  resolve_options resolve = {};   ///< how the name is looked up
};

/// Connects to `host`, a name or a numeric address. A name's addresses are tried one after
/// the other, IPv6 and IPv4 in turn, a new one when one has failed or is slow; the first
/// that answers wins ("happy eyeballs", RFC 8305).
///
/// A checkpoint; cancelled, there is no connection. Throws `name_not_found`,
/// `connection_refused`, `connection_timeout`, `host_unreachable`, `net_error`; of several
/// addresses' failures the most telling, and the message lists all.
[[nodiscard]] task<tcp_stream> open_tcp_stream(std::string host, std::uint16_t port);
[[nodiscard]] task<tcp_stream> open_tcp_stream(std::string host, std::uint16_t port,
                                               connect_options options);

/// As above, to an address that is known. A checkpoint.
[[nodiscard]] task<tcp_stream> open_tcp_stream(socket_address to);

/// How a listener is opened.
struct listen_options {
  std::string address = {}; ///< numeric; empty: all addresses of the machine, IPv4 and IPv6
  int backlog = 1024;       ///< connections that the kernel keeps until they are accepted
  bool reuse_port = false;  ///< others may listen on the same port, and the kernel deals out
  bool keepalive = false;   ///< for all connections, with the machine's settings
  bool no_delay = true;     ///< for all connections: small writes are sent at once
};

/// A port that is listened on, from construction to destruction, by the loop that
/// made it.
class tcp_listener {
public:
  using stream_type = tcp_stream;

  /// `port` 0: any that is free, see `port()`. Throws `address_in_use`,
  /// `address_not_available`, `net_error`; `usage_error` outside of a task. Not a checkpoint.
  explicit tcp_listener(std::uint16_t port, const listen_options& options = {});

  /// Takes over `fd`, which listens already: inherited (`inherited_descriptors`). It is closed
  /// even if this throws: `net_error` if it does not listen for TCP.
  [[nodiscard]] static tcp_listener adopt(int fd);

  /// Waits for the next connection. A checkpoint; cancelled, none was taken.
  /// Throws `too_many_files`, `stream_closed`, `net_error`.
  [[nodiscard]] task<tcp_stream> accept();

  /// Stops listening. A task that waits in `accept` gets `stream_closed`.
  void close() noexcept { socket_.close(); }

  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] std::string local() const { return socket_.local(); }
  /// The descriptor, for options that are not covered here; -1 when closed.
  [[nodiscard]] int native_handle() const noexcept { return socket_.fd(); }

  /// For the runtime.
  [[nodiscard]] const detail::socket_owner& socket() const noexcept { return socket_; }

private:
  explicit tcp_listener(detail::socket_state& socket) noexcept : socket_(socket) {}

  detail::socket_owner socket_;
};

/// Raises this process's limit of open descriptors as far as it may, for servers
/// with many connections. Returns the limit that is then in force.
std::size_t raise_descriptor_limit() noexcept;

} // namespace troupe
