// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/stream.hpp>
#include <troupe/task.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace troupe::http::client {

/// A connection to a server, with what was read from it and is not consumed.
class connection {
public:
  /// `max_buffer`: the most that may wait to be consumed.
  connection(std::unique_ptr<stream> transport, std::size_t max_buffer) noexcept
    : transport_(std::move(transport)), max_buffer_(max_buffer) {}

  [[nodiscard]] stream& transport() noexcept { return *transport_; }

  [[nodiscard]] std::string_view buffered() const noexcept {
    return {buffer_.data() + begin_, end_ - begin_};
  }
  void consume(std::size_t n) noexcept { begin_ += n; }

  /// Reads more; gives how much, 0 at the end of the stream. Throws `message_error` if too much
  /// waits to be consumed. A checkpoint; cancelled, it has read nothing.
  [[nodiscard]] task<std::size_t> fill();

  /// Whether nothing has come, not even the end, that nobody has asked for. A checkpoint.
  [[nodiscard]] task<bool> is_quiet();

  std::uint64_t requests = 0; // that were sent on it

private:
  void make_room();

  std::unique_ptr<stream> transport_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t max_buffer_;
};

} // namespace troupe::http::client
