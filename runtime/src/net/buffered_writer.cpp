// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/buffered_writer.hpp>

#include <array>
#include <utility>

namespace troupe {

task<> buffered_writer::write(std::span<const std::byte> data) {
  if (buffer_.size() + data.size() <= capacity_) {
    buffer_.append(reinterpret_cast<const char*>(data.data()), data.size());
    co_return;
  }
  // taken first: what a cancelled write has sent of it must not be sent again
  const std::string collected = std::exchange(buffer_, std::string());
  const std::array<std::span<const std::byte>, 2> parts{std::as_bytes(std::span(collected)), data};
  co_await to_->write_all(parts);
}

task<> buffered_writer::write(std::string_view text) {
  return write(std::as_bytes(std::span(text)));
}

task<> buffered_writer::flush() {
  if (buffer_.empty())
    co_return;
  const std::string collected = std::exchange(buffer_, std::string());
  co_await to_->write_all(collected);
}

} // namespace troupe
