// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "../net/socket.hpp"

#include <troupe/command.hpp>

#include <sys/types.h>

#include <array>
#include <utility>

namespace troupe::detail {

/// Where the three standard descriptors lead if the command does not say.
using default_io = std::array<child_io, 3>;

/// A process that has just been started. Killed and reaped if nobody takes it.
struct spawned {
  spawned() = default;
  spawned(spawned&& other) noexcept
    : pid(std::exchange(other.pid, -1)), pidfd(std::move(other.pidfd)),
      ends(std::move(other.ends)) {}
  spawned& operator=(spawned&&) = delete;
  ~spawned();

  pid_t pid = -1;
  owned_fd pidfd{-1};
  std::array<owned_fd, 3> ends{owned_fd(-1), owned_fd(-1), owned_fd(-1)}; // ours, of pipes
};

/// Starts a program. Our ends of the pipes do not block, and are not inherited by anybody.
/// Throws `process_error`. Any thread.
[[nodiscard]] spawned spawn(const command& what, const default_io& io);

} // namespace troupe::detail
