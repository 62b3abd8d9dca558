// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/async_generator.hpp>
#include <troupe/file_error.hpp>
#include <troupe/task.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace troupe {

namespace detail {
class file_state;
} // namespace detail

/// What a file is opened for; values are joined by `|`.
enum class open_mode : unsigned {
  read = 1,
  write = 2,
  append = 4,     ///< write, always at the end
  create = 8,     ///< make it if it is not there
  truncate = 16,  ///< empty it
  exclusive = 32, ///< with `create`: it must not be there
};
[[nodiscard]] constexpr open_mode operator|(open_mode a, open_mode b) noexcept {
  return static_cast<open_mode>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
[[nodiscard]] constexpr bool has(open_mode all, open_mode one) noexcept {
  return (static_cast<unsigned>(all) & static_cast<unsigned>(one)) != 0;
}

/// Where `file::seek` counts from.
enum class seek_from { begin, current, end };

/// The permissions of what is made if nothing is said; the process's umask takes from them.
inline constexpr std::filesystem::perms default_file_permissions =
  static_cast<std::filesystem::perms>(0666);

/// An open file. No operation blocks the loop: what the system has in memory is copied at
/// once, all else is done by io_uring where the kernel lets the program use it, and on a
/// thread of the default pool where not.
///
/// Cancelled, an operation has had no effect; one that the system is in the middle of is
/// waited for, delivers its result, and the next checkpoint is cancelled. `write_all` and
/// `write_at` are the exception: they may have written a part.
///
/// A file has one position, which `read_some`, `write_all` and `lines` move: two tasks that
/// use it at once get a `usage_error`, as does another loop than that on which it was
/// opened. `read_at` and `write_at` may be used by several tasks at once.
///
/// Failures are `file_error`s that name operation and path. The destructor closes the file
/// at once; `close` says what has failed, and does not block. No operation may be under way
/// in either.
class file {
public:
  explicit file(std::unique_ptr<detail::file_state> state) noexcept;
  file(file&&) noexcept;
  file& operator=(file&&) noexcept;
  ~file();

  /// Reads at most `to.size()` bytes at the position and moves it; gives how many, 0 only
  /// at the end of the file. A checkpoint.
  [[nodiscard]] task<std::size_t> read_some(std::span<std::byte> to);

  /// Reads at `offset`, until `to` is full or the file ends; gives how many bytes. The
  /// position stays. A checkpoint.
  [[nodiscard]] task<std::size_t> read_at(std::span<std::byte> to, std::uint64_t offset);

  /// Writes all of `data` at the position and moves it; at the end of the file if it is
  /// open for appending. Throws `no_space` when the disk is full. A checkpoint.
  [[nodiscard]] task<> write_all(std::span<const std::byte> data);
  [[nodiscard]] task<> write_all(std::string_view data) {
    return write_all(std::as_bytes(std::span(data)));
  }

  /// Writes all of `data` at `offset`. The position stays. A checkpoint.
  [[nodiscard]] task<> write_at(std::span<const std::byte> data, std::uint64_t offset);
  [[nodiscard]] task<> write_at(std::string_view data, std::uint64_t offset) {
    return write_at(std::as_bytes(std::span(data)), offset);
  }

  /// Moves the position, perhaps beyond the end; gives the new one. Throws
  /// `std::invalid_argument` before the beginning. A checkpoint.
  [[nodiscard]] task<std::uint64_t> seek(std::int64_t offset, seek_from from = seek_from::begin);

  /// The position. Throws `usage_error` on another loop.
  [[nodiscard]] std::uint64_t tell() const;

  /// In bytes. A checkpoint.
  [[nodiscard]] task<std::uint64_t> size();

  /// Cuts the file off at `size` bytes, or fills it up with zeros. The position stays. A
  /// checkpoint.
  [[nodiscard]] task<> truncate(std::uint64_t size);

  /// Waits until what was written is on the disk: `sync` with all that is known of the file,
  /// `sync_data` with what is needed to read it. A checkpoint.
  [[nodiscard]] task<> sync();
  [[nodiscard]] task<> sync_data();

  /// Closes the file, whether it succeeds or not; every operation throws `file_closed` from
  /// then on. Idempotent. Throws what the system says now about earlier writes. Cancelled,
  /// it closes the file all the same. A checkpoint.
  [[nodiscard]] task<> close();
  [[nodiscard]] bool is_open() const noexcept;

  /// The lines from the position on, without "\n" or "\r\n"; what follows the last line end
  /// counts if it is not empty. `next` throws `limit_overrun` for a line of more than
  /// `limit` bytes. The position is anywhere behind the lines given. The file must live
  /// longer. Not a checkpoint by itself.
  [[nodiscard]] async_generator<std::string> lines(std::size_t limit = 1U << 20U);

  [[nodiscard]] const std::string& path() const noexcept;

  /// The descriptor, for calls that are not here. It stays the file's.
  [[nodiscard]] int native_handle() const noexcept;

private:
  std::unique_ptr<detail::file_state> state_;
};

/// Opens a file. Throws `file_not_found`, `file_permission_denied`, `is_a_directory` ...,
/// `std::invalid_argument` for a mode that neither reads nor writes. A checkpoint.
[[nodiscard]] task<file> open_file(std::filesystem::path path, open_mode mode = open_mode::read,
                                   std::filesystem::perms permissions = default_file_permissions);

/// A file without a name in `directory` (or where the system keeps such), open for
/// reading and writing. It is gone when it is closed, however the program ends. A checkpoint.
[[nodiscard]] task<file> open_temporary_file(std::filesystem::path directory = {});

/// The whole of a file. Throws as `open_file` and `file::read_some`. A checkpoint.
[[nodiscard]] task<std::string> read_file(std::filesystem::path path);

/// Makes a file, or empties the one that is there, and writes `data` to it. It may be half
/// written if that fails or the machine stops; see `replace_file`. Once begun, it is not
/// cancelled. A checkpoint.
[[nodiscard]] task<> write_file(std::filesystem::path path, std::string data,
                                std::filesystem::perms permissions = default_file_permissions);

/// As `write_file`, but the file has at every moment either the old content or the new,
/// also if the machine stops; and when this returns, the new one for good. Writes a file of
/// another name in the same directory, which is removed if something fails, and renames it.
/// A file that is there keeps its permissions, unless `permissions` are given; links to it
/// keep the old content. Once begun, it is not cancelled. A checkpoint.
[[nodiscard]] task<>
replace_file(std::filesystem::path path, std::string data,
             std::filesystem::perms permissions = std::filesystem::perms::unknown);

} // namespace troupe
