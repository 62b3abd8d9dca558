// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "socket.hpp"

#include <troupe/net_error.hpp>

#include <sys/types.h>

#include <string>

namespace troupe::detail {

/// Takes the next connection.
class accept_op final : public socket_op {
public:
  explicit accept_op(socket_state& s) noexcept : socket_op(s, direction::read) {}
  [[nodiscard]] const char* waits_for() const noexcept override { return "a connection"; }
  [[nodiscard]] const socket_address& peer() const noexcept { return peer_; }
  [[nodiscard]] owned_fd take() noexcept { return std::move(fd_); }

private:
  bool attempt() noexcept override;

  socket_address peer_;
  owned_fd fd_{-1};
};

/// The listener `s` when it is to accept. Throws `usage_error`.
[[nodiscard]] socket_ptr ready_to_accept(const socket_owner& s);

/// Throws `net_error` if accepting has failed.
void check_accepted(const accept_op& op, const socket_state& s);

/// What a connection that was accepted is called in errors.
[[nodiscard]] std::string name_of_peer(const socket_state& listener, const accept_op& op, int fd);

/// The side of a connection over the Unix socket `path` that has no address of its own.
[[nodiscard]] std::string name_of_client(const std::string& path, pid_t process);

/// A descriptor that listens already. Throws `net_error`.
[[nodiscard]] socket_ptr adopt_listener(loop& home, owned_fd fd, bool unix_domain);

/// Connects `s` to `to`; gives 0 or an `errno` value. Throws nothing. A checkpoint.
[[nodiscard]] task<int> connect(socket_state& s, socket_address to);

} // namespace troupe::detail
