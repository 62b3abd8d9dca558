// SPDX-License-Identifier: BSD-3-Clause
#include "listen.hpp"
#include "system_calls.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace troupe::detail {

namespace {

class connect_op final : public socket_op {
public:
  connect_op(socket_state& s, const socket_address& to) noexcept
    : socket_op(s, direction::write), to_(to) {}

  [[nodiscard]] const char* waits_for() const noexcept override { return "connect"; }

private:
  bool attempt() noexcept override {
    if (const int result = started_ ? sys::take_error(socket_.fd()) : 0; result != 0)
      return failed(result);
    // Again when it was woken: says whether that was too early, and cannot wait for a
    // connection that nobody is making.
    started_ = true;
    int done;
    do
      done = sys::connect(socket_.fd(), to_);
    while (done != 0 && errno == EINTR);
    if (done == 0)
      return true;
    switch (errno) {
    case EISCONN: return true;
    case EINPROGRESS:
    case EALREADY: return failed(EAGAIN);
    case EAGAIN: return failed(ENOBUFS); // out of routes, or a full backlog of a Unix socket
    default: return failed(errno);
    }
  }

  const socket_address& to_;
  bool started_ = false;
};

} // namespace

bool accept_op::attempt() noexcept {
  for (;;) {
    const int fd = sys::accept(socket_.fd(), peer_);
    if (fd >= 0) {
      fd_.reset(fd);
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

socket_ptr ready_to_accept(const socket_owner& s) {
  return usable(s, direction::read, "accept", "listener");
}

void check_accepted(const accept_op& op, const socket_state& s) {
  if (op.error())
    throw_net_error(op.error(), "accept a connection on", s.open() ? s.local() : s.peer());
}

std::string name_of_peer(const socket_state& listener, const accept_op& op, int fd) {
  if (!op.peer().is_unix())
    return op.peer().text();
  // clients of a Unix socket have no address of their own
  ucred who{};
  socklen_t size = sizeof who;
  ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size);
  return name_of_client(listener.local(), who.pid);
}

std::string name_of_client(const std::string& path, pid_t process) {
  return path + " (process " + std::to_string(process) + ")";
}

socket_ptr adopt_listener(loop& home, owned_fd fd, bool unix_domain) {
  const std::string name = "descriptor " + std::to_string(fd.get());
  const auto ask = [&fd](int option) {
    int value = 0;
    socklen_t size = sizeof value;
    return ::getsockopt(fd.get(), SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
  };
  const int domain = ask(SO_DOMAIN);
  const bool right_kind = unix_domain ? domain == AF_UNIX : domain == AF_INET || domain == AF_INET6;
  if (!right_kind || ask(SO_TYPE) != SOCK_STREAM || ask(SO_ACCEPTCONN) != 1)
    throw_net_error(EINVAL, "accept connections on", name,
                    unix_domain ? "it is no Unix socket that listens"
                                : "it is no TCP socket that listens");
  return adopt(home, std::move(fd), name);
}

task<int> connect(socket_state& s, socket_address to) {
  connect_op op(s, to);
  co_await op;
  co_return op.error();
}

} // namespace troupe::detail
