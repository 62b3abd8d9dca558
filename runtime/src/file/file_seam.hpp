// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/fault_hooks.hpp>
#include <troupe/file_error.hpp>

#include <string>

// Where fault plans and simulated disks hear of files.
namespace troupe::detail {

/// Before bytes move: how many of them may. Throws `file_error` if it is to fail.
[[nodiscard]] inline std::size_t may_move(file_use what, const char* operation,
                                          const std::string& path, std::size_t size) {
  if (!faults_in_force()) [[likely]]
    return size;
  if (const int error = ask_file(what, path, size))
    throw_file_error(error, operation, path);
  return size;
}

/// Before all else: throws `file_error` if it is to fail.
inline void may_use(file_use what, const char* operation, const std::string& path) {
  static_cast<void>(may_move(what, operation, path, 0));
}

/// After bytes have moved.
inline void have_moved(file_use what, const std::string& path, std::size_t size) {
  if (faults_in_force()) [[unlikely]]
    tell_file_moved(what, path, size);
}

/// After all else.
inline void was_changed(file_use what, const std::string& path, const std::string& to) {
  if (faults_in_force()) [[unlikely]]
    tell_file_changed(what, path, to);
}
inline void was_changed(file_use what, const std::string& path) { was_changed(what, path, path); }

} // namespace troupe::detail
