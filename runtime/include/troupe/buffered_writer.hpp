// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/stream.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace troupe {

/// Collects small writes, so that many of them cost one write of the stream.
///
/// What was not flushed when this is destroyed is not sent: end with `flush`. For one task
/// at a time, on the loop of the stream.
class buffered_writer {
public:
  /// `capacity`: how many bytes are collected before they are written.
  explicit buffered_writer(stream& to, std::size_t capacity = 16384) noexcept
    : to_(&to), capacity_(capacity) {}

  /// Adds `data`; writes what there is when it is more than the capacity. A checkpoint when it
  /// writes; see `stream::write_all`, also for what it throws.
  [[nodiscard]] task<> write(std::span<const std::byte> data);
  [[nodiscard]] task<> write(std::string_view text);

  /// Writes what there is. A checkpoint, unless there is nothing.
  [[nodiscard]] task<> flush();

  /// What has not been written yet.
  [[nodiscard]] std::string_view buffered() const noexcept { return buffer_; }

private:
  stream* to_;
  std::size_t capacity_;
  std::string buffer_;
};

} // namespace troupe
