// SPDX-License-Identifier: BSD-3-Clause
#include "file_seam.hpp"
#include "file_state.hpp"

#include <troupe/buffered_reader.hpp>
#include <troupe/time.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <stdexcept>

namespace troupe {

using detail::file_call;
using detail::file_state;

namespace detail {

file_state::file_state(loop& home, int fd, std::string path)
  : home_(home), fd_(fd), has_position_(::lseek(fd, 0, SEEK_CUR) >= 0), path_(std::move(path)) {}

file_state::~file_state() {
  if (fd_ >= 0)
    ::close(fd_);
}

void file_state::check(const char* operation) const {
  if (loop::current() != &home_)
    throw usage_error(std::string("troupe: ") + operation + " of " + path_
                      + " on another loop than the file was opened on");
  if (fd_ < 0)
    throw file_closed(std::error_code(EBADF, std::generic_category()), operation, path_);
}

file_state::position_user::position_user(file_state& s, const char* operation) : state_(s) {
  s.check(operation);
  if (s.position_used_)
    throw usage_error(std::string("troupe: ") + operation + " of " + s.path_
                      + " while another task reads or writes at its position");
  s.position_used_ = true;
}

namespace {

std::int64_t offset_of(const file_state& s, std::uint64_t offset) {
  if (!s.has_position())
    return -1;
  if (offset > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    s.fail(EOVERFLOW, "use");
  return static_cast<std::int64_t>(offset);
}

task<std::size_t> read_some(file_state& s, std::span<std::byte> to) {
  const file_state::position_user user(s, "read");
  const ssize_t n = co_await carry_out({.what = file_call::kind::read,
                                        .fd = s.fd(),
                                        .data = to.data(),
                                        .size = to.size(),
                                        .offset = offset_of(s, s.position),
                                        .path = &s.path()});
  if (n < 0)
    s.fail(static_cast<int>(-n), "read");
  s.position += static_cast<std::size_t>(n);
  co_return static_cast<std::size_t>(n);
}

task<std::size_t> read_at(file_state& s, std::span<std::byte> to, std::uint64_t offset) {
  s.check("read");
  std::size_t done = 0;
  for (;;) {
    const ssize_t n = co_await carry_out({.what = file_call::kind::read,
                                          .fd = s.fd(),
                                          .data = to.data() + done,
                                          .size = to.size() - done,
                                          .offset = offset_of(s, offset + done),
                                          .path = &s.path()});
    if (n < 0)
      s.fail(static_cast<int>(-n), "read");
    done += static_cast<std::size_t>(n);
    if (n == 0 || done == to.size())
      co_return done;
  }
}

task<> write_at(file_state& s, std::span<const std::byte> data, std::uint64_t offset,
                std::uint64_t* position) {
  do {
    // the interface of reading and writing is one; this is only read
    auto* from = const_cast<std::byte*>(data.data()); // NOLINT(*-const-cast)
    const ssize_t n = co_await carry_out({.what = file_call::kind::write,
                                          .fd = s.fd(),
                                          .data = from,
                                          .size = data.size(),
                                          .offset = offset_of(s, offset),
                                          .path = &s.path()});
    if (n < 0)
      s.fail(static_cast<int>(-n), "write");
    if (n == 0 && !data.empty()) // nothing that it takes, nothing that it says
      s.fail(EIO, "write");
    data = data.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::size_t>(n);
    if (position)
      *position = offset;
  } while (!data.empty());
}

task<> write_all(file_state& s, std::span<const std::byte> data) {
  const file_state::position_user user(s, "write");
  co_await write_at(s, data, s.position, &s.position);
}

task<> write_checked(file_state& s, std::span<const std::byte> data, std::uint64_t offset) {
  s.check("write");
  co_await write_at(s, data, offset, nullptr);
}

task<std::uint64_t> size_of(file_state& s) {
  s.check("look at");
  struct stat info {};
  const int error = co_await to_thread([&] { return ::fstat(s.fd(), &info) == 0 ? 0 : errno; });
  if (error != 0)
    s.fail(error, "look at");
  co_return static_cast<std::uint64_t>(info.st_size);
}

task<std::uint64_t> seek(file_state& s, std::int64_t offset, seek_from from) {
  const file_state::position_user user(s, "seek in");
  if (!s.has_position())
    s.fail(ESPIPE, "seek in");
  std::int64_t base = 0;
  if (from == seek_from::end)
    base = static_cast<std::int64_t>(co_await size_of(s));
  else
    co_await checkpoint();
  if (from == seek_from::current)
    base = static_cast<std::int64_t>(s.position);
  std::int64_t to = 0;
  if (__builtin_add_overflow(base, offset, &to) || to < 0)
    throw std::invalid_argument("troupe: seek before the beginning of " + s.path());
  s.position = static_cast<std::uint64_t>(to);
  co_return s.position;
}

task<> truncate(file_state& s, std::uint64_t size) {
  s.check("truncate");
  may_use(file_use::truncate, "truncate", s.path());
  const int error = co_await to_thread(
    [&] { return ::ftruncate(s.fd(), static_cast<off_t>(size)) == 0 ? 0 : errno; });
  if (error != 0)
    s.fail(error, "truncate");
  was_changed(file_use::truncate, s.path());
}

task<> sync(file_state& s, file_call::kind what) {
  s.check("sync");
  const ssize_t n = co_await carry_out({.what = what, .fd = s.fd(), .path = &s.path()});
  if (n < 0)
    s.fail(static_cast<int>(-n), "sync");
}

task<> close(file_state& s) {
  if (s.fd() < 0) {
    co_await checkpoint();
    co_return;
  }
  const file_state::position_user user(s, "close");
  // held here, so that it is closed when the task is cancelled before the thread has it
  blocking_file closing(s.release(), s.path());
  co_await to_thread([&] { closing.close(); });
}

async_generator<std::string> lines(file_state& s, std::size_t limit) {
  constexpr std::size_t chunk = std::size_t{64} * 1024;
  std::string buffer;
  std::size_t begin = 0; // what is before was given out
  std::size_t searched = 0;
  for (bool more = true; more;) {
    buffer.erase(0, begin);
    searched -= begin;
    begin = 0;
    const std::size_t length = buffer.size();
    buffer.resize(length + chunk);
    const std::size_t n =
      co_await read_some(s, std::as_writable_bytes(std::span(buffer).subspan(length)));
    buffer.resize(length + n);
    more = n != 0;
    for (;;) {
      std::size_t end = buffer.find('\n', searched);
      if (end == std::string::npos && (more || begin == buffer.size()))
        break;
      end = std::min(end, buffer.size());
      std::string line = buffer.substr(begin, end - begin);
      if (!line.empty() && line.back() == '\r')
        line.pop_back();
      if (line.size() > limit)
        throw limit_overrun("a line", limit);
      begin = searched = std::min(end + 1, buffer.size());
      co_yield std::move(line);
    }
    searched = buffer.size();
    if (buffer.size() - begin > limit + 1) // and a "\r"
      throw limit_overrun("a line", limit);
  }
}

int flags_of(open_mode mode) {
  const bool write = has(mode, open_mode::write | open_mode::append);
  const bool read = has(mode, open_mode::read);
  if (!read && !write)
    throw std::invalid_argument("troupe: open_file needs a mode that reads or writes");
  int flags = read && write ? O_RDWR : write ? O_WRONLY : O_RDONLY;
  if (has(mode, open_mode::append))
    flags |= O_APPEND;
  if (has(mode, open_mode::create))
    flags |= O_CREAT;
  if (has(mode, open_mode::truncate))
    flags |= O_TRUNC;
  if (has(mode, open_mode::exclusive))
    flags |= O_EXCL;
  return flags | O_NOCTTY;
}

} // namespace

} // namespace detail

// -- file ---------------------------------------------------------------------------

file::file(std::unique_ptr<file_state> state) noexcept : state_(std::move(state)) {}
file::file(file&&) noexcept = default;
file& file::operator=(file&&) noexcept = default;
file::~file() = default;

task<std::size_t> file::read_some(std::span<std::byte> to) {
  return detail::read_some(*state_, to);
}

task<std::size_t> file::read_at(std::span<std::byte> to, std::uint64_t offset) {
  return detail::read_at(*state_, to, offset);
}

task<> file::write_all(std::span<const std::byte> data) { return detail::write_all(*state_, data); }

task<> file::write_at(std::span<const std::byte> data, std::uint64_t offset) {
  return detail::write_checked(*state_, data, offset);
}

task<std::uint64_t> file::seek(std::int64_t offset, seek_from from) {
  return detail::seek(*state_, offset, from);
}

std::uint64_t file::tell() const {
  state_->check("tell");
  return state_->position;
}

task<std::uint64_t> file::size() { return detail::size_of(*state_); }
task<> file::truncate(std::uint64_t size) { return detail::truncate(*state_, size); }
task<> file::sync() { return detail::sync(*state_, file_call::kind::sync); }
task<> file::sync_data() { return detail::sync(*state_, file_call::kind::sync_data); }
task<> file::close() { return detail::close(*state_); }
bool file::is_open() const noexcept { return state_ && state_->fd() >= 0; }
async_generator<std::string> file::lines(std::size_t limit) {
  return detail::lines(*state_, limit);
}
const std::string& file::path() const noexcept { return state_->path(); }
int file::native_handle() const noexcept { return state_->fd(); }

task<file> open_file(std::filesystem::path path, open_mode mode,
                     std::filesystem::perms permissions) {
  const int flags = detail::flags_of(mode);
  std::unique_ptr<file_state> state;
  detail::loop& home = detail::require_current_task("open_file").home();
  co_await to_thread([&] {
    detail::blocking_file opened(path.native(), flags, static_cast<unsigned>(permissions));
    struct stat info {};
    if (::fstat(opened.fd(), &info) == 0 && S_ISDIR(info.st_mode)) // else found out by reading
      throw_file_error(EISDIR, "open", path.native());
    state = std::make_unique<file_state>(home, opened.fd(), path.native());
    static_cast<void>(opened.release());
  });
  co_return file(std::move(state));
}

} // namespace troupe
