// SPDX-License-Identifier: BSD-3-Clause
#include "socket.hpp"
#include "system_calls.hpp"

#include <troupe/detail/fault_hooks.hpp>
#include <troupe/error.hpp>
#include <troupe/udp.hpp>

#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace troupe {

namespace {

using namespace detail;

class receive_op final : public socket_op {
public:
  receive_op(socket_state& s, std::span<std::byte> into) noexcept
    : socket_op(s, direction::read), into_(into) {}
  [[nodiscard]] const char* waits_for() const noexcept override { return "a datagram"; }
  [[nodiscard]] const datagram& result() const noexcept { return result_; }

private:
  bool attempt() noexcept override {
    iovec buffer{into_.data(), into_.size()};
    msghdr message{};
    message.msg_iov = &buffer;
    message.msg_iovlen = 1;
    message.msg_name = result_.from.data();
    message.msg_namelen = socket_address::capacity;
    ssize_t n;
    do
      n = sys::receive(socket_.fd(), message);
    while (n < 0 && errno == EINTR);
    if (n < 0)
      return failed(errno);
    result_.size = static_cast<std::size_t>(n);
    result_.from.size(message.msg_namelen);
    result_.truncated = (message.msg_flags & MSG_TRUNC) != 0;
    socket_.has_read(result_.size);
    return true;
  }

  std::span<std::byte> into_;
  datagram result_;
};

class send_op final : public socket_op {
public:
  /// `to`: null if connected.
  send_op(socket_state& s, const socket_address* to, std::span<const std::byte> data) noexcept
    : socket_op(s, direction::write), to_(to), data_(data) {}
  [[nodiscard]] const char* waits_for() const noexcept override { return "room for a datagram"; }

private:
  bool attempt() noexcept override {
    if (faults_in_force() && !std::exchange(asked_, true) && !socket_.may_send(to_, data_)) {
      socket_.has_written(data_.size()); // as far as anybody can tell
      return true;
    }
    ssize_t n;
    do
      n = sys::send_to(socket_.fd(), data_.data(), data_.size(), to_);
    while (n < 0 && errno == EINTR);
    if (n < 0)
      return failed(errno);
    socket_.has_written(data_.size());
    socket_.was_sent(to_);
    return true;
  }

  const socket_address* to_;
  std::span<const std::byte> data_;
  bool asked_ = false; // the fault plans, about this datagram
};

int fd_of(const socket_owner& s, const char* what) {
  if (s.fd() < 0)
    throw_net_error(EBADF, what, "a datagram socket");
  return s.fd();
}

socket_owner bound(const char* what, const socket_address& at, bool dual) {
  loop& home = at.is_unix() ? require_loop(what) : require_network_loop(what);
  owned_fd fd(make_socket(at.family(), SOCK_DGRAM));
  const int off = 0;
  if (fd.get() >= 0 && dual && at.is_ipv6())
    sys::set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, off);
  if (fd.get() < 0 || sys::bind(fd.get(), at) != 0)
    throw_net_error(errno, "receive datagrams on", at.text());
  return socket_owner(*socket_ptr(new socket_state(home, std::move(fd), at.text())));
}

socket_owner bound_to_port(std::uint16_t port, const std::string& address) {
  if (!address.empty())
    return bound("udp_socket", socket_address(address, port), false);
  try {
    return bound("udp_socket", socket_address::any_ipv6(port), true);
  } catch (const net_error& e) { // no IPv6 here
    if (e.code() != std::errc::address_family_not_supported
        && e.code() != std::errc::address_not_available)
      throw;
  }
  return bound("udp_socket", socket_address::any_ipv4(port), false);
}

socket_owner bound_to_file(const std::string& path) {
  auto s = bound("unix_datagram_socket", socket_address::unix_path(path), false);
  if (path.front() != '@')
    s->remove_at_close(path);
  return s;
}

socket_owner unbound(const char* what, int family, const std::string& name) {
  loop& home = family == AF_UNIX ? require_loop(what) : require_network_loop(what);
  owned_fd fd(make_socket(family, SOCK_DGRAM));
  if (fd.get() < 0)
    throw_net_error(errno, "send datagrams to", name);
  return socket_owner(*socket_ptr(new socket_state(home, std::move(fd), name)));
}

} // namespace

task<datagram> datagram_socket::receive(std::span<std::byte> into) {
  const socket_ptr s = usable(socket_, direction::read, "receive", "socket");
  receive_op op(*s, into);
  co_await op;
  if (op.error())
    throw_net_error(op.error(), "receive on", s->peer());
  co_return op.result();
}

task<> datagram_socket::send_to(const socket_address& to, std::span<const std::byte> data) {
  const socket_ptr s = usable(socket_, direction::write, "send_to", "socket");
  const socket_address where = to;
  send_op op(*s, &where, data);
  co_await op;
  if (op.error())
    throw_net_error(op.error(), "send to", where.text());
}

task<> datagram_socket::send_to(const socket_address& to, std::string_view text) {
  return send_to(to, std::as_bytes(std::span(text)));
}

task<> datagram_socket::send(std::span<const std::byte> data) {
  const socket_ptr s = usable(socket_, direction::write, "send", "socket");
  send_op op(*s, nullptr, data);
  co_await op;
  if (op.error())
    throw_net_error(op.error(), "send to", s->peer());
}

task<> datagram_socket::send(std::string_view text) { return send(std::as_bytes(std::span(text))); }

void datagram_socket::connect(const socket_address& to) {
  if (sys::connect(fd_of(socket_, "connect"), to) != 0)
    throw_net_error(errno, "connect to", to.text());
  socket_->peer(to.text());
}

void datagram_socket::broadcast(bool on) {
  const int value = on ? 1 : 0;
  if (sys::set_option(fd_of(socket_, "broadcast from"), SOL_SOCKET, SO_BROADCAST, value) != 0)
    throw_net_error(errno, "broadcast from", local());
}

void datagram_socket::join(const socket_address& group, std::string_view interface) {
  const int fd = fd_of(socket_, "join a group with");
  const std::string name(interface);
  int done;
  if (group.is_ipv4()) {
    ip_mreq request{};
    sockaddr_in in{};
    std::memcpy(&in, group.data(), sizeof in);
    request.imr_multiaddr = in.sin_addr;
    if (!name.empty()) {
      const socket_address card(name, 0);
      std::memcpy(&in, card.data(), sizeof in);
      request.imr_interface = in.sin_addr;
    }
    done = sys::set_option(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, request);
  } else {
    ipv6_mreq request{};
    sockaddr_in6 in{};
    std::memcpy(&in, group.data(), sizeof in);
    request.ipv6mr_multiaddr = in.sin6_addr;
    request.ipv6mr_interface = name.empty() ? in.sin6_scope_id : ::if_nametoindex(name.c_str());
    done = sys::set_option(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, request);
  }
  if (done != 0)
    throw_net_error(errno, "join the group", group.host());
}

socket_address datagram_socket::local_address() const {
  return socket_ ? socket_->local_address() : socket_address();
}

udp_socket::udp_socket(std::uint16_t port, const std::string& address)
  : datagram_socket(bound_to_port(port, address)) {}

udp_socket::udp_socket(const socket_address& to)
  : datagram_socket(unbound("udp_socket", to.family(), to.text())) {
  connect(to);
}

udp_socket udp_socket::adopt(int fd) {
  owned_fd owned(fd);
  loop& home = require_loop("udp_socket::adopt");
  int type = 0;
  socklen_t size = sizeof type;
  socket_address at;
  socklen_t length = socket_address::capacity;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_DGRAM
      || ::getsockname(fd, at.data(), &length) != 0)
    throw_net_error(EINVAL, "receive datagrams on", "descriptor " + std::to_string(fd),
                    "it is no datagram socket");
  at.size(length);
  return udp_socket(socket_owner(*detail::adopt(home, std::move(owned), at.text())));
}

unix_datagram_socket::unix_datagram_socket(const std::string& path)
  : datagram_socket(bound_to_file(path)) {}

unix_datagram_socket::unix_datagram_socket()
  : datagram_socket(unbound("unix_datagram_socket", AF_UNIX, "a Unix socket")) {}

} // namespace troupe
