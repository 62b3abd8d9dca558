// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/fault_hooks.hpp>
#include <troupe/file_error.hpp>

#include <string>

// Where fault plans and simulated disks hear of files.
namespace troupe::detail {

/// Before: throws `file_error` if it is to fail.
inline void may_use(file_use what, const char* operation, const std::string& path) {
  if (!faults_in_force()) [[likely]]
    return;
  std::size_t none = 0;
  if (const int error = ask_file(what, path, none))
    throw_file_error(error, operation, path);
}

/// After.
inline void was_changed(file_use what, const std::string& path, const std::string& to) {
  if (faults_in_force()) [[unlikely]]
    tell_file_changed(what, path, to);
}
inline void was_changed(file_use what, const std::string& path) { was_changed(what, path, path); }

} // namespace troupe::detail
