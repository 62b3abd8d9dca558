// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/descriptor_stream.hpp>
#include <troupe/socket_address.hpp>

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>

namespace troupe {

/// Who is at the other end of a Unix socket, as the system says.
struct unix_credentials {
  pid_t process;
  uid_t user;
  gid_t group;
};

/// A connection over a Unix socket.
class unix_stream final : public descriptor_stream {
public:
  using descriptor_stream::descriptor_stream;

  /// Who has made the connection. Throws `net_error`.
  [[nodiscard]] unix_credentials peer_credentials() const;
};

/// Two ends of a new connection. Throws `too_many_files`, `net_error`; `usage_error` outside
/// of a task. Not a checkpoint.
[[nodiscard]] std::pair<unix_stream, unix_stream> unix_stream_pair();

/// Connects to the Unix socket `path`; "@name" is one without a file. A checkpoint;
/// cancelled, there is no connection. Throws `connection_refused`, `net_error`.
[[nodiscard]] task<unix_stream> open_unix_stream(std::string path);

/// How a Unix socket is listened on.
struct unix_listen_options {
  int backlog = 1024;                     ///< connections that the kernel keeps
  std::optional<mode_t> permissions = {}; ///< of the file; else as the umask says
  bool replace = true; ///< a file that is left from a program that has ended is removed
};

/// A Unix socket that is listened on, from construction to destruction, which removes the file.
class unix_listener {
public:
  using stream_type = unix_stream;

  /// Throws `address_in_use` (somebody listens there, or it is no socket), `net_error`;
  /// `usage_error` outside of a task. Not a checkpoint.
  explicit unix_listener(std::string path, const unix_listen_options& options = {});

  /// Takes over `fd`, which listens already; its file stays. As `tcp_listener::adopt`.
  [[nodiscard]] static unix_listener adopt(int fd);

  /// As `tcp_listener::accept`. A checkpoint; cancelled, none was taken.
  [[nodiscard]] task<unix_stream> accept();

  /// Stops listening and removes the file. A task that waits in `accept` gets `stream_closed`.
  void close() noexcept { socket_.close(); }

  [[nodiscard]] std::string local() const { return socket_.local(); }

  /// For the runtime.
  [[nodiscard]] const detail::socket_owner& socket() const noexcept { return socket_; }

private:
  explicit unix_listener(detail::socket_state& socket) noexcept : socket_(socket) {}

  detail::socket_owner socket_;
};

} // namespace troupe
