// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <utility>

namespace troupe::detail {

class socket_state;

/// The descriptor of a stream, a listener or a datagram socket, which is closed when this
/// goes. An operation that is under way shares what it works on, and fails.
class socket_owner {
public:
  explicit socket_owner(socket_state& socket) noexcept;
  socket_owner(socket_owner&& other) noexcept : socket_(std::exchange(other.socket_, nullptr)) {}
  socket_owner& operator=(socket_owner&& other) noexcept {
    std::swap(socket_, other.socket_);
    return *this;
  }
  ~socket_owner();

  [[nodiscard]] socket_state* get() const noexcept { return socket_; } ///< null: moved from
  [[nodiscard]] socket_state& operator*() const noexcept { return *socket_; }
  [[nodiscard]] socket_state* operator->() const noexcept { return socket_; }
  [[nodiscard]] explicit operator bool() const noexcept { return socket_ != nullptr; }

  void close() noexcept;
  [[nodiscard]] std::string local() const; ///< "closed" when it is
  [[nodiscard]] int fd() const noexcept;   ///< -1 when closed

private:
  socket_state* socket_;
};

} // namespace troupe::detail
