// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <string_view>
#include <system_error>

namespace troupe {

/// Something with a network address has failed. `what()` names the operation, the
/// address and the cause: "cannot connect to 127.0.0.1:9011: Connection refused".
class net_error : public std::system_error {
public:
  net_error(std::error_code cause, std::string_view operation, std::string_view address);

  /// What was tried: "connect to", "listen on", "read from" ...
  [[nodiscard]] const std::string& operation() const noexcept { return operation_; }

  /// The other side, or the own address for listening: "127.0.0.1:9011", "[::1]:80".
  [[nodiscard]] const std::string& address() const noexcept { return address_; }

private:
  std::string operation_;
  std::string address_;
};

/// Nobody listens there.
class connection_refused : public net_error {
public:
  using net_error::net_error;
};

/// The other side has cut the connection off, or has crashed.
class connection_reset : public net_error {
public:
  using net_error::net_error;
};

/// Something was written to a connection that the other side has closed, or
/// after `send_eof`.
class broken_pipe : public net_error {
public:
  using net_error::net_error;
};

/// The port is taken by another program.
class address_in_use : public net_error {
public:
  using net_error::net_error;
};

/// The other side, or the way to it, does not answer.
class host_unreachable : public net_error {
public:
  using net_error::net_error;
};

/// The name has no address, or the resolver does not answer.
class host_not_found : public net_error {
public:
  using net_error::net_error;
};

/// The process, or the machine, has no file descriptor left.
class too_many_files : public net_error {
public:
  using net_error::net_error;
};

/// This side has closed the stream or the listener, perhaps while a task waited.
class stream_closed : public net_error {
public:
  using net_error::net_error;
};

/// Throws the type above that fits the `errno` value `cause`, else `net_error`.
[[noreturn]] void throw_net_error(int cause, std::string_view operation, std::string_view address);

} // namespace troupe
