// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

struct sockaddr;

namespace troupe {

/// Where a socket is: a numeric IP address and a port, or the path of a Unix socket.
/// A value; nothing here looks a name up (`resolve` does) or waits.
class socket_address {
public:
  /// No address.
  socket_address() noexcept = default;

  /// `host` is numeric: "127.0.0.1", "::1", "fe80::1%eth0". Throws `net_error` that names it
  /// if it is not.
  socket_address(std::string_view host, std::uint16_t port);

  /// As the constructor, but gives nothing if `host` is not numeric.
  [[nodiscard]] static std::optional<socket_address> parse(std::string_view host,
                                                           std::uint16_t port);

  /// That of a Unix socket: a path, or a name that begins with "@" for a socket without a
  /// file (Linux's abstract ones). Throws `net_error` if it is empty or too long.
  [[nodiscard]] static socket_address unix_path(std::string_view path);

  /// All addresses of the machine.
  [[nodiscard]] static socket_address any_ipv4(std::uint16_t port) noexcept;
  [[nodiscard]] static socket_address any_ipv6(std::uint16_t port) noexcept;

  [[nodiscard]] bool is_ipv4() const noexcept;
  [[nodiscard]] bool is_ipv6() const noexcept;
  [[nodiscard]] bool is_unix() const noexcept;
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  /// "127.0.0.1", "fe80::1%eth0"; the path of a Unix socket. An IPv4 address in IPv6 clothes
  /// is written as IPv4.
  [[nodiscard]] std::string host() const;
  /// 0 for a Unix socket.
  [[nodiscard]] std::uint16_t port() const noexcept;
  /// "127.0.0.1:80", "[::1]:80", "/run/x.sock", "@name"; "unnamed" for a Unix socket without
  /// a path, "nowhere" for no address.
  [[nodiscard]] std::string text() const;

  /// The same with another port. For IP addresses.
  [[nodiscard]] socket_address with_port(std::uint16_t port) const noexcept;

  friend bool operator==(const socket_address& a, const socket_address& b) noexcept {
    return a.bytes() == b.bytes();
  }
  friend auto operator<=>(const socket_address& a, const socket_address& b) noexcept {
    return a.bytes() <=> b.bytes();
  }

  // -- for system calls

  [[nodiscard]] const sockaddr* data() const noexcept {
    return reinterpret_cast<const sockaddr*>(storage_.data());
  }
  [[nodiscard]] sockaddr* data() noexcept { return reinterpret_cast<sockaddr*>(storage_.data()); }
  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
  /// The system has written so many bytes.
  void size(std::uint32_t bytes) noexcept;
  static constexpr std::uint32_t capacity = 112;
  [[nodiscard]] int family() const noexcept;

private:
  friend struct std::hash<socket_address>;

  [[nodiscard]] std::string_view bytes() const noexcept {
    return {reinterpret_cast<const char*>(storage_.data()), size_};
  }

  alignas(8) std::array<std::byte, capacity> storage_{};
  std::uint32_t size_ = 0;
};

} // namespace troupe

template <>
struct std::hash<troupe::socket_address> {
  std::size_t operator()(const troupe::socket_address& a) const noexcept {
    return std::hash<std::string_view>()(a.bytes());
  }
};
