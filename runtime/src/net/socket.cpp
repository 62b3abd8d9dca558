// SPDX-License-Identifier: BSD-3-Clause
#include "socket.hpp"

#include "poller.hpp"

#include <troupe/error.hpp>
#include <troupe/tcp.hpp>

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace troupe::detail {

owned_fd::~owned_fd() {
  if (fd_ >= 0)
    ::close(fd_);
}

socket_state::socket_state(loop& home, owned_fd fd, std::string peer)
  : home_(home), fd_(std::move(fd)), peer_(std::move(peer)) {
  poller::of(home).watch(fd_.get(), *this);
}

std::string socket_state::local() {
  endpoint e;
  auto size = static_cast<socklen_t>(e.capacity());
  if (!open() || ::getsockname(fd(), e.data(), &size) != 0)
    return "closed";
  e.resize(size);
  return to_text(e);
}

void socket_state::close() noexcept {
  if (!open())
    return;
  poller::of(home_).forget(fd_.get());
  fd_.reset(-1);
  for (socket_op*& op : waiting_)
    if (op) {
      op->error_ = EBADF;
      std::exchange(op, nullptr)->task_->wake();
    }
}

void socket_state::check_loop(const char* what) const {
  if (loop::current() != &home_)
    throw usage_error(std::string("troupe: ") + what
                      + ": the socket belongs to another loop; it is used on the one that made it");
}

void socket_state::check(direction d, const char* what) const {
  check_loop(what);
  if (waiting_[static_cast<unsigned>(d)])
    throw usage_error(std::string("troupe: ") + what
                      + ": another task is at it already, on the same socket");
}

void socket_state::ready(std::uint32_t events) noexcept {
  constexpr std::uint32_t broken = EPOLLERR | EPOLLHUP;
  if (events & (EPOLLIN | EPOLLRDHUP | broken)) {
    ended_ = ended_ || (events & EPOLLRDHUP);
    drained_ = false;
    retry(direction::read);
  }
  if (events & (EPOLLOUT | broken))
    retry(direction::write);
}

void socket_state::retry(direction d) noexcept {
  if (waiting(d) && waiting(d)->attempt())
    std::exchange(waiting(d), nullptr)->task_->wake();
}

bool socket_op::failed(int cause) noexcept {
  if (cause == EAGAIN || cause == EWOULDBLOCK)
    return false;
  error_ = cause;
  return true;
}

std::string to_text(const endpoint& e) {
  auto address = e.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    address = boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6());
  const std::string port = std::to_string(e.port());
  return address.is_v6() ? "[" + address.to_string() + "]:" + port
                         : address.to_string() + ":" + port;
}

loop& require_loop(const char* what) {
  if (loop* l = loop::current())
    return *l;
  throw usage_error(std::string("troupe: ") + what + " was called outside of a task");
}

int make_socket(int family) noexcept {
  return ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

} // namespace troupe::detail

namespace troupe {

std::size_t raise_descriptor_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return 0;
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised = limit;
    raised.rlim_cur = raised.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0)
      limit = raised;
  }
  return static_cast<std::size_t>(limit.rlim_cur);
}

} // namespace troupe
