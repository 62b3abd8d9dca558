// SPDX-License-Identifier: BSD-3-Clause
#include "listen.hpp"

#include <troupe/unix_socket.hpp>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace troupe {

namespace {

using namespace detail;

/// Removes the socket file that a program has left behind. One that somebody listens on
/// answers, or says that it is busy.
bool remove_stale(const socket_address& at) noexcept {
  struct stat what {};
  if (at.host().front() == '@' || ::lstat(at.host().c_str(), &what) != 0 || !S_ISSOCK(what.st_mode))
    return false;
  const owned_fd probe(make_socket(AF_UNIX, SOCK_STREAM));
  return probe.get() >= 0 && ::connect(probe.get(), at.data(), at.size()) != 0
         && errno == ECONNREFUSED && ::unlink(at.host().c_str()) == 0;
}

/// 0, or an `errno` value.
int listen_on(int fd, const socket_address& at, const unix_listen_options& options) noexcept {
  if (fd < 0)
    return errno;
  // before others can see it: the file gets what the descriptor has
  if (options.permissions && ::fchmod(fd, *options.permissions) != 0)
    return errno;
  int bound = ::bind(fd, at.data(), at.size());
  if (bound != 0 && errno == EADDRINUSE) {
    if (!options.replace || !remove_stale(at))
      return EADDRINUSE;
    bound = ::bind(fd, at.data(), at.size());
  }
  return bound != 0 || ::listen(fd, options.backlog) != 0 ? errno : 0;
}

socket_ptr listen_on_path(std::string path, const unix_listen_options& options) {
  loop& home = require_loop("unix_listener");
  const socket_address at = socket_address::unix_path(path);
  owned_fd fd(make_socket(AF_UNIX, SOCK_STREAM));
  if (const int error = listen_on(fd.get(), at, options))
    throw_net_error(error, "listen on", path);
  socket_ptr s(new socket_state(home, std::move(fd), path));
  if (path.front() != '@')
    s->remove_at_close(std::move(path));
  return s;
}

} // namespace

unix_credentials unix_stream::peer_credentials() const {
  ucred who{};
  socklen_t size = sizeof who;
  if (::getsockopt(native_handle(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
    throw_net_error(errno, "ask who is at", peer());
  return {who.pid, who.uid, who.gid};
}

std::pair<unix_stream, unix_stream> unix_stream_pair() {
  loop& home = require_loop("unix_stream_pair");
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw_net_error(errno, "make", "a pair of sockets");
  owned_fd one(ends[0]);
  owned_fd other(ends[1]);
  const socket_ptr a(new socket_state(home, std::move(one), "the other end"));
  const socket_ptr b(new socket_state(home, std::move(other), "the other end"));
  return {unix_stream(*a), unix_stream(*b)};
}

task<unix_stream> open_unix_stream(std::string path) {
  loop& home = require_loop("open_unix_stream");
  const socket_address to = socket_address::unix_path(path);
  owned_fd fd(make_socket(AF_UNIX, SOCK_STREAM));
  if (fd.get() < 0)
    throw_net_error(errno, "connect to", path);
  const socket_ptr s(new socket_state(home, std::move(fd), path));
  unix_stream connecting(*s); // closes, whatever happens
  if (const int error = co_await connect(*s, to))
    throw_net_error(error, "connect to", path);
  co_return connecting;
}

unix_listener::unix_listener(std::string path, const unix_listen_options& options)
  : socket_(*listen_on_path(std::move(path), options)) {}

unix_listener unix_listener::adopt(int fd) {
  owned_fd owned(fd);
  return unix_listener(
    *adopt_listener(require_loop("unix_listener::adopt"), std::move(owned), true));
}

task<unix_stream> unix_listener::accept() {
  const socket_ptr s = ready_to_accept(socket_);
  accept_op op(*s);
  co_await op;
  check_accepted(op, *s);
  owned_fd fd = op.take();
  std::string name = name_of_peer(*s, op, fd.get());
  const socket_ptr accepted(new socket_state(s->home(), std::move(fd), std::move(name)));
  co_return unix_stream(*accepted);
}

} // namespace troupe
