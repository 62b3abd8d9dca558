// SPDX-License-Identifier: BSD-3-Clause
#include "listen.hpp"
#include "system_calls.hpp"

#include <troupe/tcp.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

namespace troupe {

namespace {

using namespace detail;

/// A listening socket, or an empty descriptor and `errno`. What is set here is inherited by
/// the connections.
owned_fd listen_on(const socket_address& at, const listen_options& options, bool dual) noexcept {
  owned_fd fd(make_socket(at.family(), SOCK_STREAM));
  if (fd.get() < 0)
    return fd;
  const auto set = [&fd](int level, int option, int value) {
    return sys::set_option(fd.get(), level, option, value) == 0;
  };
  set(SOL_SOCKET, SO_REUSEADDR, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, options.keepalive ? 1 : 0);
  set(IPPROTO_TCP, TCP_NODELAY, options.no_delay ? 1 : 0);
  if (at.is_ipv6())
    set(IPPROTO_IPV6, IPV6_V6ONLY, dual ? 0 : 1);
  if ((options.reuse_port && !set(SOL_SOCKET, SO_REUSEPORT, 1)) || sys::bind(fd.get(), at) != 0
      || sys::listen(fd.get(), options.backlog) != 0) {
    const int error = errno;
    fd.reset(-1);
    errno = error;
  }
  return fd;
}

socket_ptr listen_on_port(std::uint16_t port, const listen_options& options) {
  loop& home = require_network_loop("tcp_listener");
  socket_address at = options.address.empty() ? socket_address::any_ipv6(port)
                                              : socket_address(options.address, port);
  owned_fd fd = listen_on(at, options, options.address.empty());
  if (options.address.empty() && fd.get() < 0
      && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) { // no IPv6 here
    at = socket_address::any_ipv4(port);
    owned_fd ipv4 = listen_on(at, options, false);
    fd.swap(ipv4);
  }
  if (fd.get() < 0)
    throw_net_error(errno, "listen on", at.text());
  return new socket_state(home, std::move(fd), at.text());
}

} // namespace

tcp_listener::tcp_listener(std::uint16_t port, const listen_options& options)
  : socket_(*listen_on_port(port, options)) {}

tcp_listener tcp_listener::adopt(int fd) {
  owned_fd owned(fd);
  return tcp_listener(
    *adopt_listener(require_loop("tcp_listener::adopt"), std::move(owned), false));
}

task<tcp_stream> tcp_listener::accept() {
  const socket_ptr s = ready_to_accept(socket_);
  accept_op op(*s);
  co_await op;
  check_accepted(op, *s);
  const socket_ptr accepted(
    new socket_state(s->home(), op.take(), op.peer().text(), descriptor_kind::tcp));
  co_return tcp_stream(*accepted);
}

std::uint16_t tcp_listener::port() const {
  const socket_address at = socket_ ? socket_->local_address() : socket_address();
  if (at.empty())
    throw_net_error(EBADF, "ask for the port of", local());
  return at.port();
}

} // namespace troupe
