// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/task.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

// Files beneath a directory, without waiting for a disk on a loop.
namespace troupe::http {

/// A descriptor that is closed in the end.
class descriptor {
public:
  descriptor() = default;
  explicit descriptor(int fd) noexcept : fd_(fd) {}
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~descriptor();
  [[nodiscard]] int get() const noexcept { return fd_; }

private:
  int fd_ = -1;
};

/// What was found beneath a directory.
struct opened {
  descriptor file;
  int error = 0; // an errno; ELOOP and EXDEV where a link leads out
  bool is_directory = false;
  bool is_file = false;
  std::uint64_t size = 0;
  std::int64_t seconds = 0; // when it was changed
  std::int64_t nanoseconds = 0;
};

/// Opens a directory to look beneath it. Throws `file_error`.
[[nodiscard]] descriptor open_directory(const std::filesystem::path& path);

/// Opens `path`, relative and without "..", beneath `root`. A checkpoint if it takes a thread.
[[nodiscard]] task<opened> open_beneath(int root, std::string path);

/// Reads at `offset`; 0 only at the end. Throws `std::system_error`. A checkpoint if it takes a
/// thread.
[[nodiscard]] task<std::size_t> read_at(int fd, std::span<std::byte> into, std::uint64_t offset);

} // namespace troupe::http
