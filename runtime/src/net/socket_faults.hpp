// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "socket.hpp"

#include <troupe/detail/fault_hooks.hpp>
#include <troupe/detail/timer.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace troupe::detail {

/// What fault plans do to a connection of the machine; made when one is first in force.
class socket_faults {
public:
  explicit socket_faults(socket_state& s) noexcept;

  /// Before up to `size` bytes move: whether some may now, and at most how many. Else `errno`
  /// says why not: EAGAIN, and who waits is woken later, or ECONNRESET. Throws
  /// `std::bad_alloc`.
  [[nodiscard]] bool may_move(direction d, std::size_t& size);

private:
  /// One direction.
  class way final : public timer {
  public:
    way(socket_state& s, direction d) noexcept : socket_(s), direction_(d) {}
    ~way();

    void stall(duration time) noexcept;
    void expired() noexcept override;

    std::uint64_t until = 0; // bytes in all that may move before it is asked again
    bool breaks = false;     // then

  private:
    socket_state& socket_;
    direction direction_;
    std::optional<fault_under_way> stalled_;
  };

  [[nodiscard]] std::string name(direction d) const;

  socket_state& socket_;
  std::uint64_t number_;
  way reading_;
  way writing_;
};

} // namespace troupe::detail
