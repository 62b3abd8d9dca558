// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <string_view>
#include <system_error>

namespace troupe {

/// Something with a file or a directory has failed. `what()` names the operation, the path
/// and the cause: "cannot open /etc/shadow: Permission denied".
class file_error : public std::system_error {
public:
  file_error(std::error_code cause, std::string_view operation, std::string_view path);

  /// What was tried: "open", "read", "write", "rename" ...
  [[nodiscard]] const std::string& operation() const noexcept { return operation_; }

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
  std::string operation_;
  std::string path_;
};

/// There is no such file or directory.
class file_not_found : public file_error {
public:
  using file_error::file_error;
};

/// The user may not do that, or the file system can only be read.
class file_permission_denied : public file_error {
public:
  using file_error::file_error;
};

/// The disk is full, or the user's share of it.
class no_space : public file_error {
public:
  using file_error::file_error;
};

/// There is something of that name already.
class file_exists : public file_error {
public:
  using file_error::file_error;
};

/// A file was asked for.
class is_a_directory : public file_error {
public:
  using file_error::file_error;
};

/// A directory was asked for, perhaps in the middle of the path.
class not_a_directory : public file_error {
public:
  using file_error::file_error;
};

/// A directory that is to be removed or replaced still holds something.
class directory_not_empty : public file_error {
public:
  using file_error::file_error;
};

/// The `file` has been closed.
class file_closed : public file_error {
public:
  using file_error::file_error;
};

/// Throws the type above that fits the `errno` value `cause`, else `file_error`.
[[noreturn]] void throw_file_error(int cause, std::string_view operation, std::string_view path);

} // namespace troupe
