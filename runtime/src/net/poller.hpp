// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <sys/epoll.h>

#include <array>
#include <cstddef>

namespace troupe::detail {

class loop;
class socket_state;

/// The sockets of a loop, which waits for all of them at once: an epoll set that Asio
/// watches as one descriptor. A wait in Asio itself is a system call for each wait
/// (`epoll_ctl`); here it is one for as many sockets as are ready together.
///
/// Edges only: a socket is tried before it is waited for.
class poller final : public boost::asio::execution_context::service {
public:
  using key_type = poller;
  static inline boost::asio::execution_context::id id;

  /// Throws `std::system_error`.
  explicit poller(boost::asio::execution_context& io);

  /// That of `home`; made when first asked for.
  [[nodiscard]] static poller& of(loop& home);

  /// From now on `s.ready` hears of `fd`. Throws `std::system_error`.
  void watch(int fd, socket_state& s);

  /// Before `fd` is closed.
  void forget(int fd) noexcept;

private:
  void shutdown() override;
  void arm(loop& home);
  void poll(loop& home) noexcept;

  /// For the one handler that there is at a time, so that arming cannot fail.
  alignas(std::max_align_t) std::array<std::byte, 256> storage_;
  template <class T>
  struct in_place;

  boost::asio::posix::stream_descriptor epoll_;
  bool armed_ = false;
};

} // namespace troupe::detail
