// SPDX-License-Identifier: BSD-3-Clause
#include "file_seam.hpp"
#include "made_up_name.hpp"

#include <troupe/directory.hpp>
#include <troupe/thread.hpp>

#include <dirent.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <system_error>
#include <vector>

namespace troupe {

namespace {

using detail::file_use;
using detail::may_use;
using detail::was_changed;
using std::filesystem::file_type;

struct close_directory {
  void operator()(DIR* d) const noexcept { ::closedir(d); }
};
using directory_handle = std::unique_ptr<DIR, close_directory>;

file_type type_of(const dirent& e) noexcept {
  switch (e.d_type) {
  case DT_REG: return file_type::regular;
  case DT_DIR: return file_type::directory;
  case DT_LNK: return file_type::symlink;
  case DT_FIFO: return file_type::fifo;
  case DT_SOCK: return file_type::socket;
  case DT_CHR: return file_type::character;
  case DT_BLK: return file_type::block;
  default: return file_type::unknown;
  }
}

file_type type_of(mode_t mode) noexcept {
  if (S_ISREG(mode))
    return file_type::regular;
  if (S_ISDIR(mode))
    return file_type::directory;
  if (S_ISLNK(mode))
    return file_type::symlink;
  if (S_ISFIFO(mode))
    return file_type::fifo;
  if (S_ISSOCK(mode))
    return file_type::socket;
  if (S_ISCHR(mode))
    return file_type::character;
  return S_ISBLK(mode) ? file_type::block : file_type::unknown;
}

/// The next names, at most as many as are worth a call of a thread. Empty at the end.
std::vector<directory_entry> next_names(DIR* d, const std::filesystem::path& path) {
  constexpr std::size_t at_once = 256;
  std::vector<directory_entry> names;
  while (names.size() < at_once) {
    errno = 0;
    const dirent* e = ::readdir(d); // NOLINT(concurrency-mt-unsafe): safe for two streams
    if (!e) {
      if (errno != 0)
        throw_file_error(errno, "list", path.native());
      break;
    }
    const std::string_view name = static_cast<const char*>(e->d_name);
    if (name != "." && name != "..")
      names.push_back({path / name, std::string(name), type_of(*e)});
  }
  return names;
}

void check(int result, const char* operation, const std::filesystem::path& path) {
  if (result != 0)
    throw_file_error(errno, operation, path.native());
}

file_info info_of(const struct stat& s) noexcept {
  using namespace std::chrono;
  file_info info;
  info.type = type_of(s.st_mode);
  info.size = static_cast<std::uint64_t>(s.st_size);
  info.permissions = static_cast<std::filesystem::perms>(s.st_mode & 07777U);
  info.modified = system_clock::time_point(duration_cast<system_clock::duration>(
    seconds(s.st_mtim.tv_sec) + nanoseconds(s.st_mtim.tv_nsec)));
  info.user = s.st_uid;
  info.group = s.st_gid;
  info.links = s.st_nlink;
  info.device = s.st_dev;
  info.inode = s.st_ino;
  return info;
}

} // namespace

async_generator<directory_entry> list_directory(std::filesystem::path path) {
  directory_handle directory;
  co_await to_thread([&] {
    may_use(file_use::look, "list", path.native());
    directory.reset(::opendir(path.c_str()));
    if (!directory)
      throw_file_error(errno, "list", path.native());
  });
  for (;;) {
    auto names = co_await to_thread([&] { return next_names(directory.get(), path); });
    if (names.empty())
      co_return;
    for (auto& n : names)
      co_yield std::move(n);
  }
}

task<bool> path_exists(std::filesystem::path path) {
  co_return co_await to_thread([&] {
    may_use(file_use::look, "look at", path.native());
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0)
      return true;
    if (errno != ENOENT && errno != ENOTDIR)
      throw_file_error(errno, "look at", path.native());
    return false;
  });
}

task<file_info> path_info(std::filesystem::path path, bool follow) {
  co_return co_await to_thread([&] {
    may_use(file_use::look, "look at", path.native());
    struct stat info {};
    check(follow ? ::stat(path.c_str(), &info) : ::lstat(path.c_str(), &info), "look at", path);
    return info_of(info);
  });
}

task<> make_directory(std::filesystem::path path, std::filesystem::perms permissions) {
  co_await to_thread([&] {
    may_use(file_use::make_directory, "make directory", path.native());
    check(::mkdir(path.c_str(), static_cast<mode_t>(permissions)), "make directory", path);
  });
}

task<bool> make_directories(std::filesystem::path path) {
  co_return co_await to_thread([&] {
    may_use(file_use::make_directory, "make directory", path.native());
    std::error_code error;
    const bool made = std::filesystem::create_directories(path, error);
    if (error)
      throw_file_error(error.value(), "make directory", path.native());
    return made;
  });
}

task<> remove_file(std::filesystem::path path) {
  co_await to_thread([&] {
    may_use(file_use::remove, "remove", path.native());
    check(::unlink(path.c_str()), "remove", path);
    was_changed(file_use::remove, path.native());
  });
}

task<> remove_directory(std::filesystem::path path) {
  co_await to_thread([&] {
    may_use(file_use::remove, "remove directory", path.native());
    check(::rmdir(path.c_str()), "remove directory", path);
  });
}

task<std::uint64_t> remove_tree(std::filesystem::path path) {
  co_return co_await to_thread([&] {
    may_use(file_use::remove, "remove", path.native());
    std::error_code error;
    const auto gone = std::filesystem::remove_all(path, error);
    was_changed(file_use::remove, path.native());
    if (error)
      throw_file_error(error.value(), "remove", path.native());
    return std::uint64_t{gone};
  });
}

task<> rename_path(std::filesystem::path from, std::filesystem::path to) {
  co_await to_thread([&] {
    may_use(file_use::rename, "rename", from.native());
    if (::rename(from.c_str(), to.c_str()) != 0)
      throw_file_error(errno, "rename", from.native() + " to " + to.native());
    was_changed(file_use::rename, from.native(), to.native());
  });
}

task<std::filesystem::path> make_temporary_directory(std::filesystem::path parent,
                                                     std::string prefix) {
  co_return co_await to_thread([&] {
    if (parent.empty())
      parent = std::filesystem::temp_directory_path();
    std::string name = (parent / (prefix + "XXXXXX")).native();
    const int failed = detail::make_up_name(name, [](char* n, bool seeded) {
      return seeded ? ::mkdir(n, 0700) : ::mkdtemp(n) ? 0 : -1;
    });
    if (failed != 0)
      throw_file_error(errno, "make a temporary directory in", parent.native());
    try {
      return std::filesystem::path(name);
    } catch (...) { // no memory
      ::rmdir(name.c_str());
      throw;
    }
  });
}

} // namespace troupe
