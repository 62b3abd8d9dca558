// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace troupe::detail {

class loop;

/// Who hears of a descriptor.
class poll_target {
public:
  /// `events` of epoll have come. On the loop; no task runs meanwhile.
  virtual void ready(std::uint32_t events) noexcept = 0;

protected:
  ~poll_target() = default;
};

/// The sockets of a loop, which waits for all of them at once: an epoll set that Asio
/// watches as one descriptor. A wait in Asio itself is a system call for each wait
/// (`epoll_ctl`); here it is one for as many sockets as are ready together.
///
/// Edges only, if nothing else is asked for: a socket is tried before it is waited for.
class poller final : public boost::asio::execution_context::service {
public:
  using key_type = poller;
  static inline boost::asio::execution_context::id id;

  /// Throws `std::system_error`.
  explicit poller(boost::asio::execution_context& io);

  /// That of `home`; made when first asked for.
  [[nodiscard]] static poller& of(loop& home);

  static constexpr std::uint32_t edges = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

  /// From now on `target` hears of `events` of `fd`. Throws `std::system_error`.
  void watch(loop& home, int fd, poll_target& target, std::uint32_t events = edges);

  /// From now on of these instead.
  void watch_for(int fd, poll_target& target, std::uint32_t events) noexcept;

  /// Before `fd` is closed. `target` hears nothing any more.
  void forget(int fd, const poll_target& target) noexcept;

private:
  void shutdown() override;
  void arm(loop& home);
  void poll(loop& home) noexcept;

  /// For the one handler that there is at a time, so that arming cannot fail.
  alignas(std::max_align_t) std::array<std::byte, 256> storage_;
  template <class T>
  struct in_place;

  boost::asio::posix::stream_descriptor epoll_;
  std::span<epoll_event> coming_; // got from the set, not told yet
  bool armed_ = false;
};

} // namespace troupe::detail
