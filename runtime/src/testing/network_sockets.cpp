// SPDX-License-Identifier: BSD-3-Clause
// The system calls of a simulated network.
#include "network_kernel.hpp"

#include "../net/poller.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace troupe::testing {

namespace {

int fail(int error) {
  errno = error;
  return -1;
}

/// The most that a datagram may carry, over IPv4.
constexpr std::size_t most_in_a_datagram = 65'507;

/// What is sent at once is cut into pieces of this, so that a slow link delivers it bit by
/// bit.
std::size_t piece_for(const sim_link& l) {
  return l.how.bandwidth == 0 ? 65'536
                              : std::clamp<std::size_t>(l.how.bandwidth / 100, 1460, 65'536);
}

bool is_any(const socket_address& a) {
  return a == socket_address::any_ipv4(a.port()) || a == socket_address::any_ipv6(a.port());
}

/// Writes what is in `from` to the buffers of `message`; gives how much.
std::size_t scatter(std::string_view from, msghdr& message) {
  std::size_t done = 0;
  for (std::size_t i = 0; i < message.msg_iovlen && done < from.size(); ++i) {
    const iovec& v = message.msg_iov[i];
    const std::size_t n = std::min(v.iov_len, from.size() - done);
    std::memcpy(v.iov_base, from.data() + done, n);
    done += n;
  }
  return done;
}

std::string gather(const msghdr& message, std::size_t at_most) {
  std::string bytes;
  for (std::size_t i = 0; i < message.msg_iovlen && bytes.size() < at_most; ++i) {
    const iovec& v = message.msg_iov[i];
    bytes.append(static_cast<const char*>(v.iov_base), std::min(v.iov_len, at_most - bytes.size()));
  }
  return bytes;
}

std::size_t size_of(const msghdr& message) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < message.msg_iovlen; ++i)
    size += message.msg_iov[i].iov_len;
  return size;
}

} // namespace

int simulated_network::socket(int family, int type) noexcept {
  const auto lock = kernel_->enter();
  if ((type & SOCK_STREAM) == 0 && (type & SOCK_DGRAM) == 0)
    return fail(EPROTONOSUPPORT);
  const auto s = std::make_shared<sim_socket>();
  s->family = family;
  s->host = here_.get();
  s->dual = family == AF_INET6;
  s->is_datagram = (type & SOCK_DGRAM) != 0;
  const int index = kernel_->add(s);
  if (index < 0)
    return fail(EMFILE);
  return s->fd;
}

int simulated_network::set_option(int fd, int level, int option, const void* value) noexcept {
  const std::lock_guard lock(kernel_->mutex);
  const socket_ref s = kernel_->at(index(fd));
  if (!s)
    return fail(EBADF);
  int number = 0;
  std::memcpy(&number, value, sizeof number); // all options begin with one
  if (level == SOL_SOCKET && option == SO_LINGER)
    s->drop_at_close = number != 0;
  else if (level == SOL_SOCKET && option == SO_REUSEPORT)
    s->reuse_port = number != 0;
  else if (level == IPPROTO_IPV6 && option == IPV6_V6ONLY)
    s->dual = number == 0;
  else if ((level == SOL_SOCKET && option == SO_BROADCAST)
           || (level == IPPROTO_IP && option == IP_ADD_MEMBERSHIP)
           || (level == IPPROTO_IPV6 && option == IPV6_ADD_MEMBERSHIP))
    return fail(EOPNOTSUPP);
  return 0;
}

int simulated_network::error(int fd) noexcept {
  const std::lock_guard lock(kernel_->mutex);
  const socket_ref s = kernel_->at(index(fd));
  return s ? std::exchange(s->error, 0) : EBADF;
}

int simulated_network::bind(int fd, const socket_address& at) noexcept {
  const std::lock_guard lock(kernel_->mutex);
  const socket_ref s = kernel_->at(index(fd));
  if (!s)
    return fail(EBADF);
  if (!is_any(at) && kernel_->host_of(at, s->host) != s->host)
    return fail(EADDRNOTAVAIL);
  std::uint16_t port = at.port();
  if (port == 0)
    port = kernel_->free_port(s->host);
  const auto where = at.with_port(port);
  for (const sim_socket* other : kernel_->hosts[s->host].sockets_of(port))
    if (other != s.get() && other->is_datagram == s->is_datagram
        && other->use != socket_use::connected && !(other->reuse_port && s->reuse_port)
        && (other->local == where || is_any(other->local) || is_any(where)))
      return fail(EADDRINUSE);
  if (s->is_datagram)
    s->use = socket_use::datagrams;
  kernel_->name(s, where);
  return 0;
}

int simulated_network::listen(int fd, int backlog) noexcept {
  const std::lock_guard lock(kernel_->mutex);
  const socket_ref s = kernel_->at(index(fd));
  if (!s)
    return fail(EBADF);
  kernel_->use(s, socket_use::listening);
  s->backlog_limit = static_cast<std::size_t>(std::max(backlog, 1));
  return 0;
}

int simulated_network::accept(int fd, socket_address& peer) noexcept {
  const std::lock_guard lock(kernel_->mutex);
  const socket_ref l = kernel_->at(index(fd));
  if (!l)
    return fail(EBADF);
  if (l->use != socket_use::listening)
    return fail(l->error != 0 ? l->error : EINVAL);
  if (l->backlog.empty())
    return fail(EAGAIN);
  const socket_ref s = l->backlog.front();
  const int index = kernel_->add(s);
  if (index < 0)
    return fail(EMFILE);
  l->backlog.pop_front();
  peer = s->remote;
  return s->fd;
}

int simulated_network::connect(int fd, const socket_address& to) noexcept {
  const std::lock_guard lock(kernel_->mutex);
  const socket_ref s = kernel_->at(index(fd));
  if (!s)
    return fail(EBADF);
  if (s->error != 0)
    return fail(std::exchange(s->error, 0));
  if (s->use == socket_use::connecting)
    return fail(EALREADY);
  if (s->use == socket_use::connected)
    return fail(EISCONN);
  const std::size_t far = kernel_->host_of(to, s->host);
  if (far == kernel_->hosts.size())
    return fail(EHOSTUNREACH);
  if (s->local.empty() || is_any(s->local)) {
    const std::uint16_t port = s->local.empty() ? kernel_->free_port(s->host) : s->local.port();
    socket_address from = kernel_->source_for(s->host, to);
    if (from.empty())
      return fail(ENETUNREACH);
    if (port == 0)
      return fail(EADDRNOTAVAIL);
    kernel_->name(s, from.with_port(port));
  } else if (s->local.port() == 0)
    kernel_->name(s, s->local.with_port(kernel_->free_port(s->host)));
  s->remote = to;
  s->far_host = far;
  if (s->is_datagram) {
    kernel_->use(s, socket_use::datagrams);
    return 0;
  }
  s->use = socket_use::connecting;
  const auto wanted = kernel_->reset_next.find({s->host, far});
  if (wanted != kernel_->reset_next.end()) {
    s->reset_at = wanted->second;
    kernel_->reset_next.erase(wanted);
  }
  kernel_->be_patient(s, kernel_->options.connect_limit);
  kernel_->send({packet_kind::syn, s, nullptr, s->local, to}, s->host, far);
  return fail(EINPROGRESS);
}

ssize_t simulated_network::receive(int fd, msghdr& message) noexcept {
  const std::lock_guard lock(kernel_->mutex);
  const socket_ref s = kernel_->at(index(fd));
  if (!s)
    return fail(EBADF);
  if (s->is_datagram) {
    if (s->error != 0)
      return fail(std::exchange(s->error, 0));
    if (s->datagrams.empty())
      return fail(EAGAIN);
    const packet p = std::move(s->datagrams.front());
    s->datagrams.pop_front();
    s->datagram_bytes -= p.bytes.size();
    const std::size_t n = scatter(p.bytes, message);
    message.msg_flags = n < p.bytes.size() ? MSG_TRUNC : 0;
    if (message.msg_name) {
      std::memcpy(message.msg_name, p.source.data(), p.source.size());
      message.msg_namelen = p.source.size();
    }
    return static_cast<ssize_t>(n);
  }
  std::size_t n = 0;
  std::size_t room = size_of(message);
  if (!s->received.empty())
    room = std::min(room, kernel_->ask_plans(*s, s->far_host, s->remote.port(), room, true).most);
  while (!s->received.empty() && n < room) {
    std::string& first = s->received.front();
    msghdr rest = message;
    iovec left{}; // streams are read into one buffer
    left.iov_base = static_cast<char*>(message.msg_iov[0].iov_base) + n;
    left.iov_len = room - n;
    rest.msg_iov = &left;
    rest.msg_iovlen = 1;
    const std::size_t taken = scatter(std::string_view(first).substr(s->taken), rest);
    n += taken;
    s->taken += taken;
    if (s->taken == first.size()) {
      s->received.pop_front();
      s->taken = 0;
    }
  }
  if (n != 0) {
    s->taken_in_all += n;
    if (n == room && !s->received.empty())
      kernel_->tell(s, EPOLLIN); // it may be less than was asked for
    if (!s->broken)
      kernel_->send({packet_kind::ack, s, s->far_end.lock(), {}, {}, {}, n}, s->host, s->far_host);
    return static_cast<ssize_t>(n);
  }
  if (s->error != 0)
    return fail(std::exchange(s->error, 0));
  if (s->far_ended || s->broken)
    return 0;
  return fail(s->use == socket_use::connected ? EAGAIN : ENOTCONN);
}

ssize_t simulated_network::send(int fd, const msghdr& message) noexcept {
  const std::lock_guard lock(kernel_->mutex);
  const socket_ref s = kernel_->at(index(fd));
  if (!s)
    return fail(EBADF);
  if (s->error != 0)
    return fail(std::exchange(s->error, 0));
  const std::size_t size = size_of(message);
  if (s->is_datagram) {
    socket_address to = s->remote;
    if (message.msg_name) {
      std::memcpy(to.data(), message.msg_name, message.msg_namelen);
      to.size(message.msg_namelen);
    }
    return kernel_->send_datagram(s, to, size, gather(message, most_in_a_datagram));
  }
  if (s->use != socket_use::connected)
    return fail(ENOTCONN);
  if (s->ended || s->broken)
    return fail(EPIPE);
  const std::size_t room =
    kernel_->options.buffer > s->unread ? kernel_->options.buffer - s->unread : 0;
  if (room == 0 || s->cut_off)
    return fail(EAGAIN);
  const std::size_t all = std::min(room, size);
  const auto fault = kernel_->ask_plans(*s, s->far_host, s->remote.port(), all, false);
  if (fault.stall > duration::zero() && s->agent)
    s->last_arrival = std::max(s->last_arrival, s->agent->now() + fault.stall);
  const std::string bytes = gather(message, std::min(all, fault.most));
  s->unread += bytes.size();
  s->sent += bytes.size();
  s->cut_off = fault.breaks;
  const std::size_t piece = piece_for(kernel_->link(s->host, s->far_host));
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    kernel_->send({packet_kind::data, s, s->far_end.lock(), {}, {}, bytes.substr(at, piece)},
                  s->host, s->far_host);
  if (s->cut_off) {
    packet last{packet_kind::data, s, s->far_end.lock()};
    last.breaks = true;
    kernel_->send(std::move(last), s->host, s->far_host);
  } else if (bytes.size() < all) {
    kernel_->tell(s, EPOLLOUT); // there is room for the rest
  }
  return bytes.empty() ? fail(EAGAIN) : static_cast<ssize_t>(bytes.size());
}

ssize_t simulated_network::kernel::send_datagram(const socket_ref& s, const socket_address& to,
                                                 std::size_t size, std::string bytes) {
  if (to.empty())
    return fail(EDESTADDRREQ);
  if (size > most_in_a_datagram)
    return fail(EMSGSIZE);
  const std::size_t far = host_of(to, s->host);
  if (far == hosts.size())
    return fail(EHOSTUNREACH);
  const socket_address from = source_for(s->host, to);
  if (from.empty())
    return fail(ENETUNREACH);
  if (s->local.empty())
    name(s, (s->family == AF_INET6 ? socket_address::any_ipv6(0) : socket_address::any_ipv4(0))
              .with_port(free_port(s->host)));
  if (s->use != socket_use::datagrams)
    use(s, socket_use::datagrams);
  const auto source = is_any(s->local) ? from.with_port(s->local.port()) : s->local;
  send({packet_kind::datagram, s, nullptr, source, to, std::move(bytes)}, s->host, far);
  return static_cast<ssize_t>(size);
}

socket_address simulated_network::kernel::source_for(std::size_t host,
                                                     const socket_address& to) const {
  if (host_of(to, host) == host)
    return to.with_port(0);
  for (const auto& a : hosts[host].addresses)
    if (a.is_ipv4() == to.is_ipv4())
      return a;
  return {};
}

int simulated_network::shutdown_writing(int fd) noexcept {
  const std::lock_guard lock(kernel_->mutex);
  const socket_ref s = kernel_->at(index(fd));
  if (!s)
    return fail(EBADF);
  if (s->use != socket_use::connected || s->broken)
    return fail(ENOTCONN);
  if (!std::exchange(s->ended, true))
    kernel_->send({packet_kind::fin, s, s->far_end.lock()}, s->host, s->far_host);
  return 0;
}

void simulated_network::close(int fd) noexcept {
  const std::lock_guard lock(kernel_->mutex);
  const socket_ref s = kernel_->at(index(fd));
  if (!s)
    return;
  kernel_->close(s);
  kernel_->remove(index(fd));
}

socket_address simulated_network::local_address(int fd) const noexcept {
  const std::lock_guard lock(kernel_->mutex);
  const socket_ref s = kernel_->at(index(fd));
  return s ? s->local : socket_address();
}

void simulated_network::watch(int fd, troupe::detail::loop& home,
                              troupe::detail::poll_target& target) noexcept {
  const std::lock_guard lock(kernel_->mutex);
  if (const socket_ref s = kernel_->at(index(fd))) {
    s->agent = &kernel_->agent_of(home);
    s->watcher = &target;
  }
}

void simulated_network::forget(int fd) noexcept {
  const std::lock_guard lock(kernel_->mutex);
  if (const socket_ref s = kernel_->at(index(fd)))
    s->watcher = nullptr;
}

} // namespace troupe::testing
