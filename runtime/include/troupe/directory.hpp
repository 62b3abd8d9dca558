// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/async_generator.hpp>
#include <troupe/cleanup.hpp>
#include <troupe/file_error.hpp>
#include <troupe/task.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>

namespace troupe {

/// What is known of a file without opening it.
struct file_info {
  std::filesystem::file_type type = std::filesystem::file_type::none;
  std::uint64_t size = 0; ///< bytes
  std::filesystem::perms permissions = std::filesystem::perms::unknown;
  std::chrono::system_clock::time_point modified;
  std::uint32_t user = 0;
  std::uint32_t group = 0;
  std::uint64_t links = 0; ///< names it has
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};

/// One name in a directory.
struct directory_entry {
  std::filesystem::path path; ///< the directory's, as it was given, and the name
  std::string name;
  std::filesystem::file_type type; ///< `unknown` where the file system does not say
};

// All of these run on threads of the default pool. Once begun, they are not cancelled.

/// What is in a directory, in no order, without "." and "..". `next` throws `file_error`,
/// and is a checkpoint.
[[nodiscard]] async_generator<directory_entry> list_directory(std::filesystem::path path);

/// Whether there is something of that name; a link that leads nowhere is nothing. Throws
/// `file_error` if that cannot be found out. A checkpoint.
[[nodiscard]] task<bool> path_exists(std::filesystem::path path);

/// Throws `file_not_found` ... `follow`: of what a link leads to. A checkpoint.
[[nodiscard]] task<file_info> path_info(std::filesystem::path path, bool follow = true);

/// Makes a directory. Throws `file_exists` if there is one. A checkpoint.
[[nodiscard]] task<>
make_directory(std::filesystem::path path,
               std::filesystem::perms permissions = std::filesystem::perms::all);

/// Makes a directory and those that it is in, as far as they are not there. Gives whether
/// it was not there. A checkpoint.
[[nodiscard]] task<bool> make_directories(std::filesystem::path path);

/// Removes a file or a link. Throws `file_not_found` if there is none. A checkpoint.
[[nodiscard]] task<> remove_file(std::filesystem::path path);

/// Removes an empty directory. Throws `directory_not_empty` ... A checkpoint.
[[nodiscard]] task<> remove_directory(std::filesystem::path path);

/// Removes a file, or a directory with all that is in it; links are not followed. Gives how
/// many names are gone, 0 if there was nothing. A checkpoint.
[[nodiscard]] task<std::uint64_t> remove_tree(std::filesystem::path path);

/// Gives a file or a directory another name in the same file system, at once; a file of
/// that name is replaced. The error names both. A checkpoint.
[[nodiscard]] task<> rename_path(std::filesystem::path from, std::filesystem::path to);

/// Makes a directory of a new name in `parent` (or where the system keeps such), which
/// begins with `prefix`, for this user alone; gives its path. It stays: see
/// `with_temporary_directory`. A checkpoint.
[[nodiscard]] task<std::filesystem::path>
make_temporary_directory(std::filesystem::path parent = {}, std::string prefix = "troupe-");

namespace detail {

template <class Body>
auto run_in_temporary_directory(Body body, duration limit)
  -> std::invoke_result_t<Body&, const std::filesystem::path&> {
  const std::filesystem::path made = co_await make_temporary_directory();
  const auto use = [&] { return std::invoke(body, made); };
  const auto tidy = [&]() -> task<> { static_cast<void>(co_await remove_tree(made)); };
  co_return co_await with_cleanup(use, tidy, limit);
}

} // namespace detail

/// Runs `body(path)`, a coroutine, with a new directory where the system keeps temporary
/// files, and removes that with all that is in it, however the body ends. Gives the body's
/// value. `limit`: how long the removing may take. A checkpoint.
template <class Body>
[[nodiscard]] auto with_temporary_directory(Body&& body, duration limit = std::chrono::minutes(1)) {
  detail::check_awaited_arguments<Body>();
  return detail::run_in_temporary_directory<std::decay_t<Body>>(std::forward<Body>(body), limit);
}

} // namespace troupe
