// SPDX-License-Identifier: BSD-3-Clause
#include "../loop/without_sigpipe.hpp"
#include "file_seam.hpp"
#include "file_state.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace troupe::detail {

namespace {

/// More than this the kernel does not transfer at once.
constexpr std::size_t most_at_once = 0x7ffff000;

} // namespace

ssize_t carry_out_here(const file_call& t) noexcept {
  for (;;) {
    ssize_t n = 0;
    const iovec part{t.data, std::min(t.size, most_at_once)};
    if (t.writes_to_pipe()) {
      n = without_sigpipe().write(t.fd, &part, 1);
      n = n < 0 ? -errno : n;
      if (n != -EINTR)
        return n;
      continue;
    }
    switch (t.what) {
    case file_call::kind::read: n = ::preadv2(t.fd, &part, 1, t.offset, 0); break;
    case file_call::kind::write: n = ::pwritev2(t.fd, &part, 1, t.offset, 0); break;
    case file_call::kind::sync: n = ::fsync(t.fd); break;
    case file_call::kind::sync_data: n = ::fdatasync(t.fd); break;
    }
    if (n >= 0)
      return n;
    if (errno != EINTR)
      return -errno;
  }
}

blocking_file::blocking_file(const std::string& path, int flags, unsigned permissions)
  : path_(path), real_(path) {
  may_use(file_use::open, "open", path);
  do
    fd_ = ::open(path.c_str(), flags | O_CLOEXEC, permissions);
  while (fd_ < 0 && errno == EINTR);
  if (fd_ < 0)
    throw_file_error(errno, "open", path_);
  was_changed(file_use::open, real_);
}

blocking_file::~blocking_file() {
  if (fd_ >= 0)
    ::close(fd_);
}

std::string blocking_file::read_all() const {
  struct stat info {};
  if (::fstat(fd_, &info) != 0)
    throw_file_error(errno, "read", path_);
  std::string text;
  // one more than the file is said to have, to see the end
  std::size_t room = static_cast<std::size_t>(std::max<off_t>(info.st_size, 4095)) + 1;
  std::size_t allowed = 0; // of it, by fault plans
  for (std::size_t length = 0;;) {
    text.resize(room);
    if (length == allowed)
      allowed += may_move(file_use::read, "read", path_, room - length);
    const ssize_t n = carry_out_here({.what = file_call::kind::read,
                                      .fd = fd_,
                                      .data = reinterpret_cast<std::byte*>(text.data()) + length,
                                      .size = allowed - length,
                                      .offset = -1});
    if (n < 0)
      throw_file_error(static_cast<int>(-n), "read", path_);
    have_moved(file_use::read, path_, static_cast<std::size_t>(n));
    length += static_cast<std::size_t>(n);
    if (n == 0) {
      text.resize(length);
      return text;
    }
    if (length == room)
      room *= 2;
  }
}

void blocking_file::write_all(std::string_view data) const {
  while (!data.empty()) {
    const std::size_t now = may_move(file_use::write, "write", path_, data.size());
    const ssize_t n = ::write(fd_, data.data(), now);
    if (n < 0 && errno != EINTR)
      throw_file_error(errno, "write", path_);
    const auto moved = static_cast<std::size_t>(std::max<ssize_t>(n, 0));
    have_moved(file_use::write, path_, moved);
    data.remove_prefix(moved);
  }
  was_changed(file_use::write, real_);
}

void blocking_file::sync() const {
  may_use(file_use::sync, "sync", path_);
  if (::fsync(fd_) != 0)
    throw_file_error(errno, "sync", path_);
  was_changed(file_use::sync, real_);
}

void blocking_file::close() {
  const int fd = release();
  // it is closed in any case
  const int planned = [this] {
    std::size_t none = 0;
    return faults_in_force() ? ask_file(file_use::close, path_, none) : 0;
  }();
  if ((::close(fd) != 0 && errno != EINTR) || planned != 0)
    throw_file_error(planned != 0 ? planned : errno, "close", path_);
}

} // namespace troupe::detail
