// SPDX-License-Identifier: BSD-3-Clause
#include "fault_injection.hpp"

#include <troupe/testing/replace_new.hpp>

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace troupe_test::faults {

constinit troupe::testing::failing_events io;

namespace {

constinit std::atomic<int> error_of_io{ECONNRESET};

} // namespace

void io_error(int error) noexcept { error_of_io = error; }

} // namespace troupe_test::faults

using namespace troupe_test::faults;

// The names of libc, in front of it: the runtime's calls end here.
namespace {

bool fails() noexcept {
  if (!io.next())
    return false;
  errno = error_of_io;
  return true;
}

} // namespace

extern "C" {

ssize_t recv(int fd, void* into, size_t n, int flags) {
  return fails() ? -1 : ::syscall(SYS_recvfrom, fd, into, n, flags, nullptr, nullptr);
}
ssize_t send(int fd, const void* from, size_t n, int flags) {
  return fails() ? -1 : ::syscall(SYS_sendto, fd, from, n, flags, nullptr, 0);
}
int accept4(int fd, sockaddr* peer, socklen_t* size, int flags) {
  return fails() ? -1 : static_cast<int>(::syscall(SYS_accept4, fd, peer, size, flags));
}
int connect(int fd, const sockaddr* to, socklen_t size) {
  return fails() ? -1 : static_cast<int>(::syscall(SYS_connect, fd, to, size));
}
}
