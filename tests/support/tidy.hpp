// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Read by clang-tidy 14 before each source: libstdc++ hides std::source_location from
// clang 14, which has no consteval, and without it nothing that uses a task is analysed.
#include <version>
#ifndef __cpp_lib_source_location
namespace std {
struct source_location {
  static constexpr source_location current(const char* file = __builtin_FILE(),
                                           const char* function = __builtin_FUNCTION(),
                                           unsigned line = __builtin_LINE()) noexcept {
    return {file, function, line};
  }
  constexpr const char* file_name() const noexcept { return file_; }
  constexpr const char* function_name() const noexcept { return function_; }
  constexpr unsigned line() const noexcept { return line_; }
  constexpr unsigned column() const noexcept { return 0; }

  const char* file_ = "";
  const char* function_ = "";
  unsigned line_ = 0;
};
} // namespace std
#endif
