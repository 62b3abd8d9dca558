// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/loop.hpp>
#include <troupe/detail/task_block.hpp>
#include <troupe/error.hpp>
#include <troupe/file.hpp>
#include <troupe/thread.hpp>

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace troupe::detail {

/// An open file and its position.
class file_state {
public:
  file_state(loop& home, int fd, std::string path);
  file_state(const file_state&) = delete;
  file_state& operator=(const file_state&) = delete;
  ~file_state();

  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] loop& home() const noexcept { return home_; }
  /// False for a pipe or a terminal: it is read and written where it stands.
  [[nodiscard]] bool has_position() const noexcept { return has_position_; }

  /// Throws `usage_error` on another loop, `file_closed`.
  void check(const char* operation) const;

  [[noreturn]] void fail(int cause, const char* operation) const {
    throw_file_error(cause, operation, path_);
  }

  std::uint64_t position = 0;

  /// The one who uses the position.
  class position_user {
  public:
    position_user(file_state& s, const char* operation);
    ~position_user() { state_.position_used_ = false; }
    position_user(const position_user&) = delete;
    position_user& operator=(const position_user&) = delete;

  private:
    file_state& state_;
  };

private:
  loop& home_;
  int fd_;
  bool has_position_;
  bool position_used_ = false;
  std::string path_;
};

/// A read, a write or a sync, without blocking the loop. Gives what the system call gives,
/// or minus the error number. A checkpoint. `offset` -1: where the file stands.
struct file_call {
  enum class kind { read, write, sync, sync_data };
  kind what;
  int fd;
  std::byte* data = nullptr;
  std::size_t size = 0;
  std::int64_t offset = 0;
  const std::string* path = nullptr; // for fault plans, if it has one

  /// Or to a terminal: what raises a signal when nobody is there.
  [[nodiscard]] bool writes_to_pipe() const noexcept { return what == kind::write && offset < 0; }
};
[[nodiscard]] task<ssize_t> carry_out(file_call t);

/// The same, blocking.
[[nodiscard]] ssize_t carry_out_here(const file_call& t) noexcept;

/// Blocking calls in a row, on one thread, with one path for their errors.
class blocking_file {
public:
  /// Throws `file_error`.
  blocking_file(const std::string& path, int flags, unsigned permissions);
  /// `path` is what the errors name.
  blocking_file(int fd, const std::string& path, const std::string& real) noexcept
    : fd_(fd), path_(path), real_(real) {}
  blocking_file(int fd, const std::string& path) noexcept : blocking_file(fd, path, path) {}
  ~blocking_file();
  blocking_file(const blocking_file&) = delete;
  blocking_file& operator=(const blocking_file&) = delete;

  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  [[nodiscard]] std::string read_all() const;
  void write_all(std::string_view data) const;
  void sync() const;
  void close();

private:
  int fd_;
  const std::string& path_;
  const std::string& real_;
};

/// Whether files may use io_uring, if the kernel has it; for tests.
void allow_io_uring(bool yes) noexcept;
/// Whether this loop's files do.
[[nodiscard]] bool uses_io_uring(loop& home);

} // namespace troupe::detail
