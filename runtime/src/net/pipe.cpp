// SPDX-License-Identifier: BSD-3-Clause
#include "socket.hpp"

#include <troupe/net_error.hpp>
#include <troupe/pipe.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <string_view>

namespace troupe {

namespace {

using namespace detail;

/// A pipe or a terminal is opened once more, so that this one may be non-blocking. What
/// cannot be opened again (a terminal of another user's) is shared and stays blocking; a
/// file is shared for its position; sockets have a flag with each call.
descriptor_stream standard_stream(int number, int mode, const char* name) {
  loop& home = require_loop(name);
  struct stat what {};
  if (::fstat(number, &what) != 0)
    throw_net_error(errno, "use", name);
  const bool shared_position = S_ISREG(what.st_mode) || S_ISSOCK(what.st_mode);
  const std::string path = "/proc/self/fd/" + std::to_string(number);
  owned_fd fd(shared_position
                ? -1
                : ::open(path.c_str(), mode | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)); // NOLINT
  const bool own = fd.get() >= 0;
  if (!own)
    fd.reset(::fcntl(number, F_DUPFD_CLOEXEC, 3));
  if (fd.get() < 0)
    throw_net_error(errno, "use", name);
  const auto kind = S_ISSOCK(what.st_mode) ? descriptor_kind::socket : descriptor_kind::pipe;
  const socket_ptr s(new socket_state(home, std::move(fd), name, kind));
  if (!own && kind == descriptor_kind::pipe)
    s->stays_blocking();
  return descriptor_stream(*s);
}

/// Throws `net_error` that names the variable.
unsigned number_in(const char* variable, const char* text) {
  unsigned value = 0;
  const std::string_view digits(text);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size())
    throw_net_error(EINVAL, "read", variable, "it is '" + std::string(digits) + "'");
  return value;
}

} // namespace

pipe_ends make_pipe() {
  loop& home = require_loop("make_pipe");
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) != 0)
    throw_net_error(errno, "make", "a pipe");
  owned_fd reader(ends[0]);
  owned_fd writer(ends[1]);
  const socket_ptr r(new socket_state(home, std::move(reader), "pipe", descriptor_kind::pipe));
  const socket_ptr w(new socket_state(home, std::move(writer), "pipe", descriptor_kind::pipe));
  return {descriptor_stream(*r), descriptor_stream(*w)};
}

descriptor_stream standard_input() {
  return standard_stream(STDIN_FILENO, O_RDONLY, "standard input");
}
descriptor_stream standard_output() {
  return standard_stream(STDOUT_FILENO, O_WRONLY, "standard output");
}
descriptor_stream standard_error() {
  return standard_stream(STDERR_FILENO, O_WRONLY, "standard error");
}

// NOLINTBEGIN(concurrency-mt-unsafe): said where it is declared
std::vector<inherited_descriptor> inherited_descriptors() {
  constexpr int first = 3; // as the protocol says
  const char* pid = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  if (!pid || !count || number_in("LISTEN_PID", pid) != static_cast<unsigned>(::getpid()))
    return {};
  const unsigned n = number_in("LISTEN_FDS", count);
  const char* names = std::getenv("LISTEN_FDNAMES");
  std::string_view rest = names ? names : "";
  std::vector<inherited_descriptor> result;
  for (unsigned i = 0; i < n; ++i) {
    const int fd = first + static_cast<int>(i);
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
      throw_net_error(errno, "use descriptor", std::to_string(fd), "LISTEN_FDS names it");
    const std::string_view name = rest.substr(0, rest.find(':'));
    result.push_back({fd, std::string(name)});
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
  }
  for (const char* variable : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
    ::unsetenv(variable);
  return result;
}
// NOLINTEND(concurrency-mt-unsafe)

} // namespace troupe
