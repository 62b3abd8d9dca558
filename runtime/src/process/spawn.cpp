// SPDX-License-Identifier: BSD-3-Clause
#include "spawn.hpp"

#include <troupe/process.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::detail {

namespace {

[[noreturn]] void throw_cannot_run(int error, const command& what) {
  const auto& directory = what.parts().directory;
  throw process_error(error, std::generic_category(),
                      "cannot run " + what.program()
                        + (directory.empty() ? std::string() : " in " + directory));
}

/// What the child is to do before it runs the program.
class file_actions {
public:
  explicit file_actions(const command& what) : what_(what) {
    check(::posix_spawn_file_actions_init(&actions_));
  }
  file_actions(const file_actions&) = delete;
  file_actions& operator=(const file_actions&) = delete;
  ~file_actions() { ::posix_spawn_file_actions_destroy(&actions_); }

  void directory(const std::string& d) {
    check(::posix_spawn_file_actions_addchdir_np(&actions_, d.c_str()));
  }
  /// `from` becomes `to` in the child.
  void place(int from, int to) { check(::posix_spawn_file_actions_adddup2(&actions_, from, to)); }
  void close_from(int first) {
    check(::posix_spawn_file_actions_addclosefrom_np(&actions_, first));
  }
  [[nodiscard]] const posix_spawn_file_actions_t* get() const noexcept { return &actions_; }

private:
  void check(int error) const {
    if (error != 0)
      throw_cannot_run(error, what_);
  }
  const command& what_;
  posix_spawn_file_actions_t actions_{};
};

class attributes {
public:
  explicit attributes(bool own_group) {
    ::posix_spawnattr_init(&attributes_);
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    sigset_t pipe;
    ::sigemptyset(&pipe);
    ::sigaddset(&pipe, SIGPIPE);
    ::posix_spawnattr_setsigdefault(&attributes_, &pipe);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    const int flags =
      POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | (own_group ? POSIX_SPAWN_SETPGROUP : 0);
    ::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
  }
  attributes(const attributes&) = delete;
  attributes& operator=(const attributes&) = delete;
  ~attributes() { ::posix_spawnattr_destroy(&attributes_); }

  [[nodiscard]] const posix_spawnattr_t* get() const noexcept { return &attributes_; }

private:
  posix_spawnattr_t attributes_{};
};

/// "NAME=value" of all variables.
std::vector<std::string> environment(const command_parts& parts) {
  std::vector<std::string> all;
  if (!parts.empty_environment)
    for (char** v = environ; v && *v; ++v)
      all.emplace_back(*v);
  for (const auto& change : parts.variables) {
    const std::string start = change.name + '=';
    std::erase_if(all, [&](const std::string& v) { return v.starts_with(start); });
    if (change.value)
      all.push_back(start + *change.value);
  }
  return all;
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> all;
  all.reserve(words.size() + 1);
  for (const auto& w : words)
    all.push_back(const_cast<char*>(w.c_str())); // NOLINT: as posix_spawn wants it
  all.push_back(nullptr);
  return all;
}

/// The child's descriptors, by their number there. All of them are above those numbers here,
/// so that putting one in its place does not overwrite another.
class child_descriptors {
public:
  child_descriptors(const command& what, std::array<owned_fd, 3>& ends, const default_io& io)
    : what_(what), first_free_(3 + static_cast<int>(what.parts().descriptors.size())) {
    for (std::size_t i = 0; i < 3; ++i)
      standard(i, ends[i], io[i]);
    for (const int fd : what.parts().descriptors)
      copy(fd);
  }

  void place(file_actions& actions) const {
    for (std::size_t i = 0; i < fds_.size(); ++i)
      actions.place(fds_[i].get(), static_cast<int>(i));
    actions.close_from(first_free_);
  }

private:
  void standard(std::size_t i, owned_fd& end, child_io otherwise) {
    const auto& target = what_.parts().standard[i];
    if (target.fd >= 0)
      return copy(target.fd);
    switch (target.io.value_or(otherwise)) {
    case child_io::inherit:
      if (::fcntl(static_cast<int>(i), F_GETFD) >= 0)
        return copy(static_cast<int>(i));
      [[fallthrough]]; // closed here
    case child_io::null:
      return keep(::open("/dev/null", (i == 0 ? O_RDONLY : O_WRONLY) | O_CLOEXEC));
    case child_io::to_stdout: return copy(fds_[1].get());
    case child_io::pipe: break;
    }
    int both[2] = {-1, -1};
    if (::pipe2(both, O_CLOEXEC) != 0)
      throw_cannot_run(errno, what_);
    const bool to_child = i == 0;
    end.reset(both[to_child ? 1 : 0]);
    keep(both[to_child ? 0 : 1]);
    ::fcntl(end.get(), F_SETFL, O_NONBLOCK | (to_child ? O_WRONLY : O_RDONLY));
  }

  void copy(int fd) { add(owned_fd(::fcntl(fd, F_DUPFD_CLOEXEC, first_free_))); }
  void keep(int fd) {
    owned_fd mine(fd);
    if (fd < 0 || fd >= first_free_)
      add(std::move(mine));
    else
      copy(fd);
  }
  void add(owned_fd fd) {
    if (fd.get() < 0)
      throw_cannot_run(errno, what_);
    fds_.push_back(std::move(fd));
  }

  const command& what_;
  int first_free_;
  std::vector<owned_fd> fds_;
};

void check_words(const command& what) {
  const auto bad = [](const std::string& s) { return s.find('\0') != std::string::npos; };
  const auto& parts = what.parts();
  if (std::any_of(parts.argv.begin(), parts.argv.end(), bad) || bad(parts.directory)
      || std::any_of(parts.variables.begin(), parts.variables.end(),
                     [&](const auto& v) { return v.value && bad(*v.value); }))
    throw_cannot_run(EINVAL, what);
}

} // namespace

spawned::~spawned() {
  if (pid < 0)
    return;
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

spawned spawn(const command& what, const default_io& io) {
  const auto& parts = what.parts();
  check_words(what);
  spawned result;
  const child_descriptors descriptors(what, result.ends, io);
  file_actions actions(what);
  descriptors.place(actions);
  if (!parts.directory.empty())
    actions.directory(parts.directory);
  const attributes attr(parts.own_group);
  const auto variables = environment(parts);
  const auto argv = pointers(parts.argv);
  const auto envp = pointers(variables);
  // Shares our memory until the program runs, so that it costs the same in a large process,
  // and what fails in the child is known here.
  const int error =
    ::posix_spawnp(&result.pid, argv[0], actions.get(), attr.get(), argv.data(), envp.data());
  if (error != 0) {
    result.pid = -1;
    throw_cannot_run(error, what);
  }
  result.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, result.pid, 0)));
  if (result.pidfd.get() < 0)
    throw_cannot_run(errno, what);
  return result;
}

} // namespace troupe::detail
