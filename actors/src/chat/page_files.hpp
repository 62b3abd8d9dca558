// SPDX-License-Identifier: BSD-3-Clause
// The files in page/, which the build puts into the library.
#pragma once

#include <span>
#include <string_view>

namespace troupe::chat {

struct page_file {
  std::string_view name;
  std::string_view type; // of its content
  std::string_view content;
};

[[nodiscard]] std::span<const page_file> page_files() noexcept;

} // namespace troupe::chat
