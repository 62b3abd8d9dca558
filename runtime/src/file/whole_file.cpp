// SPDX-License-Identifier: BSD-3-Clause
#include "file_seam.hpp"
#include "file_state.hpp"
#include "made_up_name.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace troupe {

namespace detail {

namespace {

/// Removed again, unless it got its place.
class new_name {
public:
  explicit new_name(std::string path) : path_(std::move(path)) {}
  ~new_name() {
    if (!kept_ && ::unlink(path_.c_str()) == 0)
      was_changed(file_use::remove, path_);
  }
  new_name(const new_name&) = delete;
  new_name& operator=(const new_name&) = delete;

  void rename_to(const std::string& to) {
    may_use(file_use::rename, "replace", to);
    if (::rename(path_.c_str(), to.c_str()) != 0)
      throw_file_error(errno, "replace", to);
    kept_ = true;
    was_changed(file_use::rename, path_, to);
  }

private:
  std::string path_;
  bool kept_ = false;
};

mode_t umask_of_process() {
  // there is no way to ask without setting it, but for this
  mode_t mask = 022;
  if (std::FILE* status = std::fopen("/proc/self/status", "re")) {
    char line[128];
    unsigned found = 0;
    while (std::fgets(line, sizeof line, status))
      if (std::sscanf(line, "Umask: %o", &found) == 1)
        mask = found;
    std::fclose(status);
  }
  return mask;
}

/// Of the file that is there; else what a new one would have.
mode_t permissions_for(const std::string& path, std::filesystem::perms wanted) {
  if (wanted != std::filesystem::perms::unknown)
    return static_cast<mode_t>(wanted) & 07777U;
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0)
    return info.st_mode & 07777U;
  return static_cast<mode_t>(default_file_permissions) & ~umask_of_process();
}

void replace_here(const std::filesystem::path& path, const std::string& data,
                  std::filesystem::perms permissions) {
  const std::string& target = path.native();
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  std::string fresh = (folder / ("." + path.filename().native() + ".XXXXXX")).native();
  may_use(file_use::open, "replace", target);
  const int fd = make_up_name(fresh, [](char* name, bool seeded) {
    return seeded ? ::open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)
                  : ::mkostemp(name, O_CLOEXEC);
  });
  if (fd < 0)
    throw_file_error(errno, "replace", target);
  blocking_file file(fd, target, fresh); // the errors name what the caller knows
  was_changed(file_use::open, fresh);
  new_name name(fresh);
  if (::fchmod(fd, permissions_for(target, permissions)) != 0)
    throw_file_error(errno, "replace", target);
  file.write_all(data);
  file.sync();
  file.close();
  name.rename_to(target);
  const std::string& folder_name = folder.native();
  const blocking_file directory(folder_name, O_RDONLY | O_DIRECTORY, 0);
  directory.sync();
}

} // namespace

} // namespace detail

task<std::string> read_file(std::filesystem::path path) {
  co_return co_await to_thread(
    [&] { return detail::blocking_file(path.native(), O_RDONLY | O_NOCTTY, 0).read_all(); });
}

task<> write_file(std::filesystem::path path, std::string data,
                  std::filesystem::perms permissions) {
  co_await to_thread([&] {
    detail::blocking_file file(path.native(), O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY,
                               static_cast<unsigned>(permissions));
    file.write_all(data);
    file.close();
  });
}

task<> replace_file(std::filesystem::path path, std::string data,
                    std::filesystem::perms permissions) {
  co_await to_thread([&] { detail::replace_here(path, data, permissions); });
}

task<file> open_temporary_file(std::filesystem::path directory) {
  std::unique_ptr<detail::file_state> state;
  detail::loop& home = detail::require_current_task("open_temporary_file").home();
  co_await to_thread([&] {
    if (directory.empty())
      directory = std::filesystem::temp_directory_path();
    const std::string shown = (directory / "(temporary)").native();
    int fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
      // a file system that cannot: the name lives for a moment
      std::string name = (directory / "troupe-XXXXXX").native();
      fd = ::mkostemp(name.data(), O_CLOEXEC);
      if (fd >= 0)
        ::unlink(name.c_str());
    }
    if (fd < 0)
      throw_file_error(errno, "make a temporary file in", directory.native());
    detail::blocking_file opened(fd, shown);
    state = std::make_unique<detail::file_state>(home, fd, shown);
    static_cast<void>(opened.release());
  });
  co_return file(std::move(state));
}

} // namespace troupe
