// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/testing/memory_stream.hpp>

#include <cstddef>
#include <limits>
#include <string_view>
#include <utility>

namespace fuzz {

/// The first stream gives `bytes` and then the end, in pieces whose sizes `pattern` says in
/// turn; what is written to it nobody reads.
inline std::pair<troupe::testing::memory_stream, troupe::testing::memory_stream>
source(std::string_view bytes, std::string_view pattern) {
  troupe::testing::memory_stream_options options;
  options.capacity = std::numeric_limits<std::size_t>::max();
  auto ends = troupe::testing::memory_stream_pair(options);
  auto& in = *ends.first.incoming();
  in.put(bytes);
  in.end();
  if (!pattern.empty())
    in.before_read = [&in, pattern, next = std::size_t(0)]() mutable -> troupe::task<> {
      in.piece(1 + static_cast<unsigned char>(pattern[next++ % pattern.size()]) % 16U);
      co_return;
    };
  return ends;
}

} // namespace fuzz
