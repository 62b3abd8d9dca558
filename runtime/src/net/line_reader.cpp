// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/stream.hpp>

#include <algorithm>
#include <array>

namespace troupe {

line_too_long::line_too_long(std::size_t limit)
  : std::runtime_error("troupe: a line is longer than the limit of " + std::to_string(limit)
                       + " bytes"),
    limit_(limit) {}

task<bool> line_reader::fill() {
  if (ended_)
    co_return false;
  std::array<std::byte, 3584> chunk; // the frame, which waits here, fits a page
  const std::size_t n = co_await from_->read_some(chunk);
  if (n == 0) {
    ended_ = true;
    co_return false;
  }
  if (begin_ != 0) {
    buffer_.erase(0, begin_);
    begin_ = 0;
  }
  buffer_.append(reinterpret_cast<const char*>(chunk.data()), n);
  co_return true;
}

std::string line_reader::take(std::size_t length, std::size_t line_end) {
  std::string line = buffer_.substr(begin_, length);
  begin_ += length + line_end;
  searched_ = 0;
  if (!line.empty() && line.back() == '\r')
    line.pop_back();
  return line;
}

task<std::optional<std::string>> line_reader::read_line() {
  for (;;) {
    const std::size_t end = buffer_.find('\n', begin_ + searched_);
    const std::size_t length = (end == std::string::npos ? buffer_.size() : end) - begin_;
    // one more for a "\r" that may belong to the line end
    const bool carriage_return = length != 0 && buffer_[begin_ + length - 1] == '\r';
    if (length > limit_ + (carriage_return ? 1 : 0))
      throw line_too_long(limit_);
    if (end != std::string::npos)
      co_return take(length, 1);
    searched_ = length;
    if (!co_await fill()) {
      if (buffered().empty())
        co_return std::nullopt;
      co_return take(buffered().size(), 0);
    }
  }
}

task<bool> line_reader::skip_line() {
  for (;;) {
    const std::size_t end = buffer_.find('\n', begin_);
    searched_ = 0;
    if (end != std::string::npos) {
      begin_ = end + 1;
      co_return true;
    }
    begin_ = buffer_.size();
    if (!co_await fill())
      co_return false;
  }
}

} // namespace troupe
