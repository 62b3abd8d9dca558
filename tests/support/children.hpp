// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/process.hpp>

#include <dirent.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstddef>
#include <string>

namespace troupe_test {

inline troupe::command shell(const std::string& script) {
  return troupe::command("sh", "-c", script);
}

/// This process has no child, not even one that has ended.
inline bool no_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD;
}

inline std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* d = ::opendir("/proc/self/fd");
  while (::readdir(d))
    ++count;
  ::closedir(d);
  return count;
}

} // namespace troupe_test
