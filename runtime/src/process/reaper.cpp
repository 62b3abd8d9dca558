// SPDX-License-Identifier: BSD-3-Clause
#include "child_process.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <poll.h>
#include <sys/wait.h>

#include <memory>
#include <utility>

namespace troupe::detail {

namespace {

/// Waits for a process that SIGKILL is on its way to. Its own thread is the last that does
/// so: there is no zombie, whatever becomes of the loop.
void reap_now(int pidfd) noexcept {
  pollfd ended{pidfd, POLLIN, 0};
  while (::poll(&ended, 1, -1) < 0 && errno == EINTR) {
  }
  siginfo_t ignored{};
  ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &ignored, WEXITED | WNOHANG);
}

/// Goes with the handler that waits: with its last word, or with the loop.
struct orphan {
  explicit orphan(boost::asio::io_context& io) : descriptor(io) {}
  orphan(const orphan&) = delete;
  orphan& operator=(const orphan&) = delete;
  ~orphan() { reap_now(fd.get()); }

  owned_fd fd{-1};
  boost::asio::posix::stream_descriptor descriptor;
};

} // namespace

void reap_later(loop& home, owned_fd pidfd) noexcept {
  try {
    auto o = std::make_unique<orphan>(home.io());
    o->fd.swap(pidfd);
    auto& descriptor = o->descriptor;
    descriptor.assign(::fcntl(o->fd.get(), F_DUPFD_CLOEXEC, 0));
    descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                          [o = std::move(o)](const boost::system::error_code&) {});
  } catch (...) {
    if (pidfd.get() >= 0)
      reap_now(pidfd.get());
  }
}

} // namespace troupe::detail
