// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/stream.hpp>

namespace troupe {

task<> stream::write_all(std::span<const std::span<const std::byte>> parts) {
  for (const auto part : parts)
    if (!part.empty())
      co_await write_all(part);
}

} // namespace troupe
