// SPDX-License-Identifier: BSD-3-Clause
#include "fault_injection.hpp"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <new>

namespace troupe_test::faults {

constinit injector allocations;
constinit injector io;

namespace {

constinit std::atomic<long> live{0};
constinit std::atomic<int> error_of_io{ECONNRESET};

void* take(std::size_t bytes, std::size_t alignment) {
  if (allocations.next())
    throw std::bad_alloc();
  void* p = nullptr;
  if (alignment <= alignof(std::max_align_t))
    p = std::malloc(bytes == 0 ? 1 : bytes);
  else if (::posix_memalign(&p, alignment, bytes) != 0)
    p = nullptr;
  if (!p)
    throw std::bad_alloc();
  live.fetch_add(1, std::memory_order_relaxed);
  return p;
}

void give_back(void* p) noexcept {
  if (!p)
    return;
  live.fetch_sub(1, std::memory_order_relaxed);
  std::free(p);
}

} // namespace

void injector::arm(std::size_t k, bool and_all_after) noexcept {
  seen_ = 0;
  fail_at_ = k;
  all_after_ = and_all_after;
  armed_ = true;
}

void injector::disarm() noexcept { armed_ = false; }

std::size_t injector::seen() const noexcept { return seen_; }

bool injector::next() noexcept {
  if (!armed_.load(std::memory_order_relaxed))
    return false;
  const std::size_t number = seen_.fetch_add(1) + 1;
  const std::size_t at = fail_at_;
  return at != 0 && (number == at || (number > at && all_after_));
}

void io_error(int error) noexcept { error_of_io = error; }

long live_blocks() noexcept { return live; }

} // namespace troupe_test::faults

using namespace troupe_test::faults;

void* operator new(std::size_t n) { return take(n, 0); }
void* operator new[](std::size_t n) { return take(n, 0); }
void* operator new(std::size_t n, std::align_val_t a) {
  return take(n, static_cast<std::size_t>(a));
}
void* operator new[](std::size_t n, std::align_val_t a) {
  return take(n, static_cast<std::size_t>(a));
}
void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
  try {
    return take(n, 0);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* p) noexcept { give_back(p); }
void operator delete[](void* p) noexcept { give_back(p); }
void operator delete(void* p, std::size_t) noexcept { give_back(p); }
void operator delete[](void* p, std::size_t) noexcept { give_back(p); }
void operator delete(void* p, std::align_val_t) noexcept { give_back(p); }
void operator delete[](void* p, std::align_val_t) noexcept { give_back(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { give_back(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { give_back(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { give_back(p); }

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
