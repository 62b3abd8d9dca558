// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <string_view>
#include <system_error>

namespace troupe {

/// Something with an address (of the network, of a pipe) has failed. `what()` names the
/// operation, the address and the cause: "cannot connect to 127.0.0.1:9011: Connection
/// refused".
///
/// `as_outcome` gives the failures of a call as values instead.
class net_error : public std::system_error {
public:
  /// `details` are said after the address, in brackets.
  net_error(std::error_code cause, std::string_view operation, std::string_view address,
            std::string_view details = {});

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

/// The connection was given up on this side, by the system, or before it was accepted.
class connection_aborted : public net_error {
public:
  using net_error::net_error;
};

/// Something was written to a connection that the other side has closed, or
/// after `send_eof`.
class broken_pipe : public net_error {
public:
  using net_error::net_error;
};

/// The other side did not answer in time: to a connection request, to data that the system
/// has sent again and again, or to a `heartbeat`.
class connection_timeout : public net_error {
public:
  using net_error::net_error;
};

/// The other side has ended its direction where more had to come.
class end_of_stream : public net_error {
public:
  end_of_stream(std::string_view operation, std::string_view address,
                std::string_view details = {});
};

/// The port, or the path, is taken by another program.
class address_in_use : public net_error {
public:
  using net_error::net_error;
};

/// This machine does not have the address.
class address_not_available : public net_error {
public:
  using net_error::net_error;
};

/// There is no way to the other side.
class host_unreachable : public net_error {
public:
  using net_error::net_error;
};

/// The name has no address, or nobody says which.
class name_not_found : public net_error {
public:
  using net_error::net_error;
};

/// The process, or the machine, has no file descriptor left.
class too_many_files : public net_error {
public:
  using net_error::net_error;
};

/// A datagram was longer than what can be sent at once.
class message_too_long : public net_error {
public:
  using net_error::net_error;
};

/// This side has closed the stream or the listener, perhaps while a task waited.
class stream_closed : public net_error {
public:
  using net_error::net_error;
};

/// What has no number in the system.
enum class stream_errc { end_of_stream = 1 };

[[nodiscard]] const std::error_category& stream_category() noexcept;
[[nodiscard]] inline std::error_code make_error_code(stream_errc e) noexcept {
  return {static_cast<int>(e), stream_category()};
}

/// Throws the type above that fits the `errno` value `cause`, else `net_error`.
[[noreturn]] void throw_net_error(int cause, std::string_view operation, std::string_view address,
                                  std::string_view details = {});

} // namespace troupe

template <>
struct std::is_error_code_enum<troupe::stream_errc> : std::true_type {};
