// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/network.hpp>
#include <troupe/socket_address.hpp>

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>

/// The system calls of sockets: to the machine, or to the simulated network that has made the
/// descriptor. Named and used as those.
namespace troupe::detail::sys {

inline ssize_t receive(int fd, void* into, std::size_t size) noexcept {
  network* net = network::of(fd);
  if (!net) [[likely]]
    return ::recv(fd, into, size, MSG_DONTWAIT);
  iovec buffer{into, size};
  msghdr message{};
  message.msg_iov = &buffer;
  message.msg_iovlen = 1;
  return net->receive(fd, message);
}

inline ssize_t receive(int fd, msghdr& message) noexcept {
  network* net = network::of(fd);
  return net ? net->receive(fd, message) : ::recvmsg(fd, &message, MSG_DONTWAIT);
}

/// Without SIGPIPE.
inline ssize_t send(int fd, const msghdr& message) noexcept {
  network* net = network::of(fd);
  return net ? net->send(fd, message) : ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/// As above; cheaper than the general form.
inline ssize_t send(int fd, const void* from, std::size_t size) noexcept {
  network* net = network::of(fd);
  if (!net) [[likely]]
    return ::send(fd, from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  iovec buffer{const_cast<void*>(from), size}; // NOLINT: only read
  msghdr message{};
  message.msg_iov = &buffer;
  message.msg_iovlen = 1;
  return net->send(fd, message);
}

/// `to`: null if connected.
inline ssize_t send_to(int fd, const void* from, std::size_t size,
                       const socket_address* to) noexcept {
  network* net = network::of(fd);
  if (!net)
    return ::sendto(fd, from, size, MSG_NOSIGNAL | MSG_DONTWAIT, to ? to->data() : nullptr,
                    to ? to->size() : 0);
  iovec buffer{const_cast<void*>(from), size}; // NOLINT: only read
  msghdr message{};
  message.msg_iov = &buffer;
  message.msg_iovlen = 1;
  if (to) {
    message.msg_name = const_cast<sockaddr*>(to->data()); // NOLINT: only read
    message.msg_namelen = to->size();
  }
  return net->send(fd, message);
}

inline int bind(int fd, const socket_address& at) noexcept {
  network* net = network::of(fd);
  return net ? net->bind(fd, at) : ::bind(fd, at.data(), at.size());
}

inline int listen(int fd, int backlog) noexcept {
  network* net = network::of(fd);
  return net ? net->listen(fd, backlog) : ::listen(fd, backlog);
}

/// The connection does not block and is not inherited.
inline int accept(int fd, socket_address& peer) noexcept {
  if (network* net = network::of(fd))
    return net->accept(fd, peer);
  socklen_t size = socket_address::capacity;
  const int accepted = ::accept4(fd, peer.data(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (accepted >= 0)
    peer.size(size);
  return accepted;
}

inline int connect(int fd, const socket_address& to) noexcept {
  network* net = network::of(fd);
  return net ? net->connect(fd, to) : ::connect(fd, to.data(), to.size());
}

/// SO_ERROR: what has become of an operation that went on by itself. 0, or an `errno` value.
inline int take_error(int fd) noexcept {
  if (network* net = network::of(fd))
    return net->error(fd);
  int result = 0;
  socklen_t size = sizeof result;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &size) == 0 ? result : errno;
}

template <class T>
int set_option(int fd, int level, int option, const T& value) noexcept {
  network* net = network::of(fd);
  return net ? net->set_option(fd, level, option, &value)
             : ::setsockopt(fd, level, option, &value, sizeof value);
}

inline int shutdown_writing(int fd) noexcept {
  network* net = network::of(fd);
  return net ? net->shutdown_writing(fd) : ::shutdown(fd, SHUT_WR);
}

/// Empty if there is none.
inline socket_address local_address(int fd) noexcept {
  if (network* net = network::of(fd))
    return net->local_address(fd);
  socket_address a;
  socklen_t size = socket_address::capacity;
  if (::getsockname(fd, a.data(), &size) == 0)
    a.size(size);
  return a;
}

} // namespace troupe::detail::sys
