// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/file_error.hpp>

#include <cerrno>

namespace troupe {

file_error::file_error(std::error_code cause, std::string_view operation, std::string_view path)
  : std::system_error(cause, "cannot " + std::string(operation) + " " + std::string(path)),
    operation_(operation), path_(path) {}

void throw_file_error(int cause, std::string_view operation, std::string_view path) {
  const std::error_code code(cause, std::generic_category());
  switch (cause) {
  case ENOENT: throw file_not_found(code, operation, path);
  case EACCES:
  case EPERM:
  case EROFS: throw file_permission_denied(code, operation, path);
  case ENOSPC:
  case EDQUOT: throw no_space(code, operation, path);
  case EEXIST: throw file_exists(code, operation, path);
  case EISDIR: throw is_a_directory(code, operation, path);
  case ENOTDIR: throw not_a_directory(code, operation, path);
  case ENOTEMPTY: throw directory_not_empty(code, operation, path);
  default: throw file_error(code, operation, path);
  }
}

} // namespace troupe
