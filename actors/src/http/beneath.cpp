// SPDX-License-Identifier: BSD-3-Clause
#include "beneath.hpp"

#include <troupe/file_error.hpp>
#include <troupe/thread.hpp>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>

namespace troupe::http {

namespace {

// not to wait for the other end of a pipe
constexpr int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

#ifndef RESOLVE_CACHED
constexpr std::uint64_t resolve_cached = 0x20;
#else
constexpr std::uint64_t resolve_cached = RESOLVE_CACHED;
#endif

std::atomic<bool> has_openat2{true};

int try_openat2(int root, const std::string& path, std::uint64_t more) noexcept {
  open_how how{};
  how.flags = flags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | more;
  return static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how));
}

/// Part by part, and no links at all: where the kernel, or who guards it, has no openat2.
int open_step_by_step(int root, const std::string& path) noexcept {
  descriptor at(::fcntl(root, F_DUPFD_CLOEXEC, 0));
  std::size_t begin = 0;
  while (at.get() >= 0) {
    const std::size_t end = path.find('/', begin);
    const std::string part = path.substr(begin, end == path.npos ? end : end - begin);
    const bool last = end == path.npos;
    const int fd = ::openat(at.get(), part.c_str(),
                            O_NOFOLLOW | (last ? flags : O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (fd < 0 || last)
      return fd;
    at = descriptor(fd);
    begin = end + 1;
  }
  return -1;
}

opened look_at(int fd) noexcept {
  opened found;
  struct stat about {};
  if (fd < 0 || ::fstat(fd, &about) != 0) {
    found.error = errno;
    found.file = descriptor(fd);
    return found;
  }
  found.file = descriptor(fd);
  found.is_directory = S_ISDIR(about.st_mode);
  found.is_file = S_ISREG(about.st_mode);
  found.size = static_cast<std::uint64_t>(about.st_size);
  found.seconds = about.st_mtim.tv_sec;
  found.nanoseconds = about.st_mtim.tv_nsec;
  return found;
}

opened open_on_thread(int root, const std::string& path) {
  if (has_openat2.load(std::memory_order_relaxed)) {
    int fd = -1;
    do
      fd = try_openat2(root, path, 0);
    while (fd < 0 && (errno == EINTR || errno == EAGAIN)); // a rename has raced with it
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
      return look_at(fd);
    if (errno == ENOSYS)
      has_openat2 = false;
  }
  return look_at(open_step_by_step(root, path));
}

std::size_t read_on_thread(int fd, std::span<std::byte> into, std::uint64_t offset) {
  for (;;) {
    const ssize_t n = ::pread(fd, into.data(), into.size(), static_cast<off_t>(offset));
    if (n >= 0)
      return static_cast<std::size_t>(n);
    if (errno != EINTR)
      throw std::system_error(errno, std::generic_category(), "cannot read a file that is served");
  }
}

} // namespace

descriptor::~descriptor() {
  if (fd_ >= 0)
    ::close(fd_);
}

descriptor open_directory(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    throw_file_error(errno, "open the directory", path.native());
  return descriptor(fd);
}

task<opened> open_beneath(int root, std::string path) {
  if (path.empty())
    path = ".";
  if (has_openat2.load(std::memory_order_relaxed)) {
    // only with what is in memory already
    const int fd = try_openat2(root, path, resolve_cached);
    if (fd >= 0)
      co_return look_at(fd);
    if (errno == ENOENT || errno == EXDEV || errno == ELOOP || errno == ENOTDIR)
      co_return look_at(fd);
  }
  co_return co_await to_thread(open_on_thread, root, path);
}

task<std::size_t> read_at(int fd, std::span<std::byte> into, std::uint64_t offset) {
  const iovec part{into.data(), into.size()};
  const ssize_t n = ::preadv2(fd, &part, 1, static_cast<off_t>(offset), RWF_NOWAIT);
  if (n > 0)
    co_return static_cast<std::size_t>(n);
  co_return co_await to_thread(read_on_thread, fd, into, offset);
}

} // namespace troupe::http
