// SPDX-License-Identifier: BSD-3-Clause
#include "socket.hpp"

#include <troupe/error.hpp>
#include <troupe/tcp.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace troupe {

namespace {

using namespace detail;

class accept_op final : public socket_op {
public:
  explicit accept_op(socket_state& s) noexcept : socket_op(s, direction::read) {}
  [[nodiscard]] const char* waits_for() const noexcept override { return "a connection"; }
  [[nodiscard]] const endpoint& peer() const noexcept { return peer_; }
  [[nodiscard]] owned_fd take() noexcept { return std::move(fd_); }

private:
  bool attempt() noexcept override {
    for (;;) {
      auto size = static_cast<socklen_t>(peer_.capacity());
      const int fd = ::accept4(socket_.fd(), peer_.data(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        fd_.reset(fd);
        peer_.resize(size);
        return true;
      }
      switch (errno) {
      case EINTR:
      case ECONNABORTED: // the client has left before it was accepted
      case EPROTO:
      case EPERM: continue;
      default: return failed(errno);
      }
    }
  }

  endpoint peer_;
  owned_fd fd_{-1};
};

/// A listening socket, or -1 and `errno`.
int listen_on(const endpoint& at, int backlog, bool dual) noexcept {
  const int fd = make_socket(at.protocol().family());
  if (fd < 0)
    return -1;
  const int on = 1;
  const int off = 0;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (at.address().is_v6())
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, dual ? &off : &on, sizeof on);
  if (::bind(fd, at.data(), static_cast<socklen_t>(at.size())) == 0 && ::listen(fd, backlog) == 0)
    return fd;
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

} // namespace

tcp_listener::tcp_listener(std::uint16_t port, const listen_options& options) {
  loop& home = require_loop("tcp_listener");
  endpoint at(boost::asio::ip::tcp::v6(), port);
  int fd = -1;
  if (options.address.empty()) {
    fd = listen_on(at, options.backlog, true);
    if (fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) { // no IPv6 here
      at = endpoint(boost::asio::ip::tcp::v4(), port);
      fd = listen_on(at, options.backlog, false);
    }
  } else {
    boost::system::error_code error;
    at = endpoint(boost::asio::ip::make_address(options.address, error), port);
    if (error)
      throw_net_error(EINVAL, "listen on", options.address + " (not a numeric address)");
    fd = listen_on(at, options.backlog, false);
  }
  const int error = errno;
  owned_fd owned(fd);
  if (fd < 0)
    throw_net_error(error, "listen on", to_text(at));
  socket_ = new socket_state(home, std::move(owned), to_text(at));
  intrusive_ptr_add_ref(socket_);
}

tcp_listener::~tcp_listener() {
  if (socket_) {
    socket_->close();
    intrusive_ptr_release(socket_);
  }
}

task<tcp_stream> tcp_listener::accept() {
  if (!socket_)
    throw usage_error("troupe: accept: the listener was moved from");
  const socket_ptr s(socket_);
  s->check(direction::read, "accept");
  accept_op op(*s);
  co_await op;
  if (op.error())
    throw_net_error(op.error(), "accept a connection on", s->local());
  const socket_ptr accepted(new socket_state(s->home(), op.take(), to_text(op.peer())));
  co_return tcp_stream(*accepted);
}

void tcp_listener::close() noexcept {
  if (socket_)
    socket_->close();
}

std::string tcp_listener::local() const { return socket_ ? socket_->local() : "closed"; }

std::uint16_t tcp_listener::port() const {
  endpoint e;
  auto size = static_cast<socklen_t>(e.capacity());
  if (!socket_ || ::getsockname(socket_->fd(), e.data(), &size) != 0)
    throw_net_error(EBADF, "ask for the port of", local());
  e.resize(size);
  return e.port();
}

} // namespace troupe
