// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/socket_owner.hpp>
#include <troupe/net_error.hpp>
#include <troupe/socket_address.hpp>
#include <troupe/task.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace troupe {

/// A datagram that was received.
struct datagram {
  std::size_t size = 0;   ///< how many bytes were written to the buffer
  socket_address from;    ///< who has sent it
  bool truncated = false; ///< it was longer than the buffer; the rest is lost
};

/// A socket for datagrams: UDP, or a Unix socket. Each `send` is one `receive` at the other
/// side, or, with UDP, none: datagrams get lost, doubled and out of order.
///
/// One task may receive while another sends; two that receive (or send) at once are a
/// mistake, `usage_error`, as is use on another loop than the one that made it. The
/// destructor closes.
class datagram_socket {
public:
  /// Waits for a datagram, which may be empty. A checkpoint; cancelled, none was taken. What
  /// has become of those that were sent is heard here, too: throws `connection_refused`
  /// (connected, and nobody is there), `stream_closed`, `net_error`.
  [[nodiscard]] task<datagram> receive(std::span<std::byte> into);

  /// Sends one datagram; waits while the system has no room. A checkpoint; cancelled, it was
  /// not sent. Throws `message_too_long`, `host_unreachable`, `net_error`.
  [[nodiscard]] task<> send_to(const socket_address& to, std::span<const std::byte> data);
  [[nodiscard]] task<> send_to(const socket_address& to, std::string_view text);

  /// As above, to the one it is connected to. A checkpoint.
  [[nodiscard]] task<> send(std::span<const std::byte> data);
  [[nodiscard]] task<> send(std::string_view text);

  /// From now on, only what comes from `to` is received, and `send` goes there. Does not
  /// wait, and does not ask whether anybody is there. Throws `net_error`. Not a checkpoint.
  void connect(const socket_address& to);

  /// UDP: whether it may be sent to all of a network. Throws `net_error`.
  void broadcast(bool on);

  /// UDP: receives what is sent to a group. `interface` is the address of the network card
  /// (IPv4) or its name (IPv6); empty: the system chooses. Throws `net_error`.
  void join(const socket_address& group, std::string_view interface = {});

  /// Closes. A task that waits gets `stream_closed`. Idempotent.
  void close() noexcept { socket_.close(); }

  /// Where it is.
  [[nodiscard]] socket_address local_address() const;
  [[nodiscard]] std::string local() const { return local_address().text(); }
  /// The descriptor, for options that are not covered here; -1 when closed.
  [[nodiscard]] int native_handle() const noexcept { return socket_.fd(); }

private:
  friend class udp_socket;
  friend class unix_datagram_socket;
  explicit datagram_socket(detail::socket_owner socket) noexcept : socket_(std::move(socket)) {}

  detail::socket_owner socket_;
};

/// A UDP socket.
class udp_socket final : public datagram_socket {
public:
  /// Bound to `address` (numeric; empty: all of the machine, IPv4 and IPv6) and `port` (0: any
  /// that is free). Throws `address_in_use`, `address_not_available`, `net_error`;
  /// `usage_error` outside of a task.
  explicit udp_socket(std::uint16_t port, const std::string& address = {});

  /// Connected to `to`, from any port. Throws as above.
  explicit udp_socket(const socket_address& to);

  /// Takes over a descriptor, which must be a UDP socket. Closes it if this throws: `net_error`.
  [[nodiscard]] static udp_socket adopt(int fd);

  [[nodiscard]] std::uint16_t port() const { return local_address().port(); }

private:
  explicit udp_socket(detail::socket_owner s) noexcept : datagram_socket(std::move(s)) {}
};

/// A Unix socket for datagrams, which do not get lost: `send` waits while the other side has
/// no room.
class unix_datagram_socket final : public datagram_socket {
public:
  /// At `path`, whose file goes with the socket ("@name": without a file). Throws
  /// `address_in_use`, `net_error`; `usage_error` outside of a task.
  explicit unix_datagram_socket(const std::string& path);

  /// Without an address of its own: others cannot answer.
  unix_datagram_socket();
};

} // namespace troupe
