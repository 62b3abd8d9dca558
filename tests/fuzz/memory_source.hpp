// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/stream.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

namespace fuzz {

/// Gives `bytes` in pieces, whose sizes `pattern` says in turn; takes what is written.
class memory_source final : public troupe::stream {
public:
  memory_source(std::string_view bytes, std::string_view pattern)
    : bytes_(bytes), pattern_(pattern) {}

  using stream::write_all;
  troupe::task<std::size_t> read_some(std::span<std::byte> into) override {
    std::size_t piece = into.size();
    if (!pattern_.empty())
      piece = 1 + static_cast<unsigned char>(pattern_[next_++ % pattern_.size()]) % 16U;
    const std::size_t n = std::min({piece, into.size(), bytes_.size()});
    std::memcpy(into.data(), bytes_.data(), n);
    bytes_.remove_prefix(n);
    co_return n;
  }
  troupe::task<> write_all(std::span<const std::byte>) override { co_return; }
  troupe::task<> send_eof() override { co_return; }
  troupe::task<> close() override { co_return; }
  void abort() noexcept override {}
  std::string peer() const override { return "memory"; }
  std::string local() const override { return "memory"; }
  troupe::stream_statistics statistics() const override { return {}; }

private:
  std::string_view bytes_;
  std::string_view pattern_;
  std::size_t next_ = 0;
};

} // namespace fuzz
