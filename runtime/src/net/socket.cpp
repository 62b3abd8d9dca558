// SPDX-License-Identifier: BSD-3-Clause
#include "socket.hpp"

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
  : home_(home), descriptor_(home.io()), peer_(std::move(peer)) {
  watch(std::move(fd));
}

void socket_state::watch(owned_fd fd) {
  boost::system::error_code error;
  descriptor_.assign(fd.get(), error);
  if (error)
    throw std::system_error(error, "troupe: cannot watch a socket");
  fd.release();
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
  boost::system::error_code ignored; // the descriptor is gone whatever close(2) says
  descriptor_.close(ignored);
}

void socket_state::renew() { watch(owned_fd(descriptor_.release())); }

void socket_state::check(direction d, const char* what) const {
  if (loop::current() != &home_)
    throw usage_error(std::string("troupe: ") + what
                      + ": the socket belongs to another loop; it is used on the one that made it");
  if (sides_[static_cast<unsigned>(d)].waiting)
    throw usage_error(std::string("troupe: ") + what
                      + ": another task is at it already, on the same socket");
}

void socket_state::arm(direction d) {
  side& s = sides_[static_cast<unsigned>(d)];
  if (s.armed)
    return;
  using descriptor = boost::asio::posix::stream_descriptor;
  descriptor_.async_wait(d == direction::read ? descriptor::wait_read : descriptor::wait_write,
                         [self = socket_ptr(this), d](const boost::system::error_code&) {
                           loop& home = self->home_;
                           self->ready(d);
                           home.pump();
                         });
  s.armed = true;
}

void socket_state::ready(direction d) noexcept {
  side& s = sides_[static_cast<unsigned>(d)];
  s.armed = false;
  drained = drained && d == direction::write;
  socket_op* op = s.waiting;
  if (!op)
    return; // it was cancelled
  if (!open()) {
    op->error_ = EBADF;
  } else if (!op->attempt()) {
    try {
      return arm(d);
    } catch (...) {
      op->error_ = ENOMEM;
    }
  }
  s.waiting = nullptr;
  op->task_->wake();
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
