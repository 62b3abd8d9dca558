// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "socket.hpp"

#include <troupe/detail/fault_hooks.hpp>
#include <troupe/detail/timer.hpp>

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace troupe::detail {

/// What fault plans do to a connection of the machine, or to the datagrams that a socket sends;
/// made when a plan is first in force.
class socket_faults {
public:
  explicit socket_faults(socket_state& s) noexcept;

  /// Before up to `size` bytes move: whether some may now, and at most how many. Else `errno`
  /// says why not: EAGAIN, and who waits is woken later, or ECONNRESET. Throws
  /// `std::bad_alloc`.
  [[nodiscard]] bool may_move(direction d, std::size_t& size);

  /// Before a datagram is sent: false if it is not to be sent now. Throws `std::bad_alloc`.
  [[nodiscard]] bool may_send(const socket_address* to, std::span<const std::byte> data);

  /// Those that are overtaken by one to there.
  void send_overtaken(const socket_address* to) noexcept;

private:
  /// A datagram that comes later. Nobody hears if it cannot be sent then.
  class held_back final : public timer {
  public:
    held_back(socket_faults& f, const socket_address& to, std::span<const std::byte> data,
              bool is_overtaken);
    ~held_back();

    [[nodiscard]] bool goes_behind_one_to(const socket_address& there) const noexcept;
    void send() const noexcept;
    void expired() noexcept override;

  private:
    socket_faults& faults_;
    socket_address to_; // whoever the socket is connected to by then
    std::vector<std::byte> data_;
    bool is_overtaken_;
  };

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

  [[nodiscard]] std::string here() const;
  /// `to`, or where it is connected to.
  [[nodiscard]] socket_address there(const socket_address* to) const noexcept;
  [[nodiscard]] std::string name(direction d) const;

  socket_state& socket_;
  stream_number number_;
  way reading_;
  way writing_;
  std::list<held_back> held_back_;
};

} // namespace troupe::detail
