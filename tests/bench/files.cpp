// SPDX-License-Identifier: BSD-3-Clause
// Reading a file in parts of 256 KiB, from memory (f1) and from the disk (f2): troupe's file
// beside a plain read loop.
// bench_files [MEGABYTES [DIRECTORY]]
#include "meter.hpp"

#include <troupe/troupe.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <string>
#include <vector>

using namespace troupe;

namespace {

constexpr std::size_t chunk = 256 * 1024;

/// So that what was read is looked at.
volatile std::byte sink{};

class test_file {
public:
  test_file(const std::string& directory, std::size_t megabytes)
    : path_(directory + "/troupe-bench-XXXXXX") {
    fd_ = ::mkostemp(path_.data(), O_CLOEXEC);
    const std::vector<char> part(1U << 20U, 'x');
    for (std::size_t i = 0; i < megabytes; ++i)
      if (fd_ < 0 || ::write(fd_, part.data(), part.size()) != static_cast<ssize_t>(part.size()))
        std::abort();
  }
  ~test_file() {
    ::close(fd_);
    ::unlink(path_.c_str());
  }
  test_file(const test_file&) = delete;
  test_file& operator=(const test_file&) = delete;

  /// The system forgets what it has in memory.
  void forget() const {
    if (::fsync(fd_) != 0 || ::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED) != 0)
      std::abort();
  }

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
  std::string path_;
  int fd_;
};

std::size_t plain(const std::string& path, std::vector<std::byte>& buffer) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  std::size_t total = 0;
  for (ssize_t n = 0; (n = ::read(fd, buffer.data(), buffer.size())) > 0;) {
    total += static_cast<std::size_t>(n);
    sink = buffer[0];
  }
  ::close(fd);
  return total;
}

task<std::size_t> ours(const std::string& path, std::vector<std::byte>& buffer) {
  file f = co_await open_file(path);
  std::size_t total = 0;
  while (const std::size_t n = co_await f.read_some(buffer)) {
    total += n;
    sink = buffer[0];
  }
  co_await f.close();
  co_return total;
}

} // namespace

int main(int argc, char** argv) {
  const std::size_t megabytes = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1024;
  const test_file data(argc > 2 ? argv[2] : "/tmp", megabytes);
  std::vector<std::byte> buffer(chunk);
  run(run_options{.loops = 1}, [&]() -> task<> {
    for (const char* test : {"f2", "f1"})
      for (int i = 0; i < 3; ++i) {
        const bool from_disk = test[1] == '2';
        if (from_disk)
          data.forget();
        const bench::meter mine("troupe");
        mine.report(test, static_cast<double>(co_await ours(data.path(), buffer)) / (1U << 20U));
        if (from_disk)
          data.forget();
        const bench::meter other("plain");
        other.report(test, static_cast<double>(plain(data.path(), buffer)) / (1U << 20U));
      }
  });
}
