// SPDX-License-Identifier: BSD-3-Clause
#include "socket.hpp"

#include "socket_faults.hpp"
#include "system_calls.hpp"

#include <troupe/detail/runtime.hpp>
#include <troupe/detail/simulation.hpp>
#include <troupe/error.hpp>
#include <troupe/net_error.hpp>
#include <troupe/tcp.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <limits>

namespace troupe::detail {

owned_fd::~owned_fd() {
  if (network* net = network::of(fd_))
    net->close(fd_);
  else if (fd_ >= 0)
    ::close(fd_);
}

socket_state::socket_state(loop& home, owned_fd fd, std::string peer, descriptor_kind kind)
  : home_(home), fd_(std::move(fd)), peer_(std::move(peer)), kind_(kind) {
  if (network* net = network::of(fd_.get()))
    net->watch(fd_.get(), home, *this);
  else
    poller::of(home).watch(home, fd_.get(), *this);
  statistics_.opened = statistics_.last_read = statistics_.last_written = home.rough_now();
}

socket_state::~socket_state() { close(); }

socket_address socket_state::local_address() const noexcept {
  return open() ? sys::local_address(fd()) : socket_address();
}

std::string socket_state::local() const {
  if (!open())
    return "closed";
  return kind_ == descriptor_kind::pipe ? "pipe" : local_address().text();
}

bool socket_state::would_not_block(short events) const noexcept {
  pollfd p{fd(), events, 0};
  if (::poll(&p, 1, 0) > 0)
    return true;
  errno = EAGAIN;
  return false;
}

/// A pipe that says it can be written to has room for this much.
std::size_t socket_state::write_room() const noexcept {
  return blocking_ ? PIPE_BUF : std::numeric_limits<std::size_t>::max();
}

void socket_state::close() noexcept {
  if (!open())
    return;
  if (!file_.empty())
    ::unlink(file_.c_str());
  if (network* net = network::of(fd_.get()))
    net->forget(fd_.get());
  else
    poller::of(home_).forget(fd_.get(), *this);
  fd_.reset(-1);
  for (socket_op*& op : waiting_)
    if (op) {
      op->error_ = closed_with_;
      std::exchange(op, nullptr)->task_->wake();
    }
}

void socket_state::drop_at_close() noexcept {
  const linger at_once{1, 0};
  sys::set_option(fd(), SOL_SOCKET, SO_LINGER, at_once);
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

loop& require_network_loop(const char* what) {
  return current_network() ? *loop::current() : require_loop(what);
}

loop& require_loop(const char* what) {
  refuse_under_simulation(what);
  if (loop* l = loop::current())
    return *l;
  throw usage_error(std::string("troupe: ") + what + " was called outside of a task");
}

network* current_network() noexcept {
  const loop* here = loop::current();
  return here ? here->owner().network_in_use() : nullptr;
}

int make_socket(int family, int type) noexcept {
  if (network* net = family == AF_UNIX ? nullptr : current_network())
    return net->socket(family, type);
  return ::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

socket_ptr usable(const socket_owner& s, direction d, const char* what, const char* kind) {
  if (!s)
    throw usage_error(std::string("troupe: ") + what + ": the " + kind + " was moved from");
  s->check(d, what);
  return s.get();
}

socket_owner::socket_owner(socket_state& socket) noexcept : socket_(&socket) {
  intrusive_ptr_add_ref(socket_);
}

socket_owner::~socket_owner() {
  if (socket_) {
    socket_->close();
    intrusive_ptr_release(socket_);
  }
}

void socket_owner::close() noexcept {
  if (socket_)
    socket_->close();
}

std::string socket_owner::local() const { return socket_ ? socket_->local() : "closed"; }

int socket_owner::fd() const noexcept { return socket_ ? socket_->fd() : -1; }

socket_address peer_address(int fd) noexcept {
  socket_address peer;
  socklen_t size = socket_address::capacity;
  if (::getpeername(fd, peer.data(), &size) == 0)
    peer.size(size);
  return peer;
}

socket_ptr adopt(loop& home, owned_fd fd, std::string name) {
  struct stat what {};
  if (::fstat(fd.get(), &what) != 0)
    throw_net_error(errno, "use descriptor", std::to_string(fd.get()));
  const int flags = ::fcntl(fd.get(), F_GETFL);
  auto kind = descriptor_kind::pipe;
  if (S_ISSOCK(what.st_mode)) {
    const socket_address peer = peer_address(fd.get());
    int type = 0;
    socklen_t length = sizeof type;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_TYPE, &type, &length);
    const bool ip = peer.is_ipv4() || peer.is_ipv6();
    kind = ip && type == SOCK_STREAM ? descriptor_kind::tcp : descriptor_kind::socket;
    if (name.empty())
      name = peer.text();
  } else if (name.empty())
    name = "descriptor " + std::to_string(fd.get());
  if (!(flags & O_NONBLOCK) && ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0)
    throw_net_error(errno, "use", name);
  return new socket_state(home, std::move(fd), std::move(name), kind);
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
