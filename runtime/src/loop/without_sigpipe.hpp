// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <pthread.h>
#include <sys/uio.h>

#include <cerrno>
#include <csignal>
#include <ctime>

namespace troupe::detail {

/// Keeps SIGPIPE, which a pipe that nobody reads raises, from the program: sockets have a
/// flag against that, other descriptors have none.
class without_sigpipe {
public:
  without_sigpipe() noexcept {
    ::sigemptyset(&signal_);
    ::sigaddset(&signal_, SIGPIPE);
    sigset_t pending;
    ::sigpending(&pending);
    was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
    ::pthread_sigmask(SIG_BLOCK, &signal_, &before_);
  }
  ~without_sigpipe() {
    const int error = errno;
    const timespec now{};
    if (raised_ && !was_pending_)
      while (::sigtimedwait(&signal_, nullptr, &now) < 0 && errno == EINTR) {
      }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = error;
  }
  without_sigpipe(const without_sigpipe&) = delete;
  without_sigpipe& operator=(const without_sigpipe&) = delete;

  /// As `writev`.
  ssize_t write(int fd, const iovec* parts, int count) noexcept {
    const ssize_t n = ::writev(fd, parts, count);
    raised_ = n < 0 && errno == EPIPE;
    return n;
  }

private:
  sigset_t signal_;
  sigset_t before_;
  bool was_pending_;
  bool raised_ = false;
};

} // namespace troupe::detail
