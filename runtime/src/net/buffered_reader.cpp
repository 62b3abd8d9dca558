// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/buffered_reader.hpp>
#include <troupe/error.hpp>

#include <algorithm>
#include <array>
#include <cstring>

namespace troupe {

namespace {

std::string how_much(std::size_t there, std::size_t expected) {
  return expected == 0
           ? std::to_string(there) + " bytes were left"
           : std::to_string(there) + " of " + std::to_string(expected) + " bytes were left";
}

} // namespace

limit_overrun::limit_overrun(std::string_view what, std::size_t limit)
  : std::runtime_error("troupe: " + std::string(what) + " is longer than the limit of "
                       + std::to_string(limit) + " bytes"),
    limit_(limit) {}

incomplete_read_error::incomplete_read_error(std::string_view address, std::string partial,
                                             std::size_t expected)
  : end_of_stream("read on from", address, how_much(partial.size(), expected)),
    partial_(std::move(partial)), expected_(expected) {}

/// Reads what there is into the buffer. False at the end of the stream.
task<bool> buffered_reader::fill() {
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

task<> buffered_reader::fill_to(std::size_t count) {
  while (buffered().size() < count) {
    const bool more = co_await fill();
    if (!more)
      throw incomplete_read_error(from_->peer(), std::string(buffered()), count);
  }
}

void buffered_reader::consume(std::size_t count) noexcept {
  begin_ += count;
  searched_ = 0;
  if (begin_ == buffer_.size()) {
    buffer_.clear();
    begin_ = 0;
  }
}

std::string buffered_reader::take(std::size_t count) {
  std::string result(buffered().substr(0, count));
  consume(count);
  return result;
}

task<std::size_t> buffered_reader::read_some(std::span<std::byte> into) {
  if (into.empty() || (buffered().empty() && !ended_))
    co_return co_await from_->read_some(into);
  const std::size_t n = std::min(into.size(), buffered().size());
  std::memcpy(into.data(), buffered().data(), n);
  consume(n);
  co_return n;
}

task<std::string> buffered_reader::read_exactly(std::size_t count) {
  co_await fill_to(count);
  co_return take(count);
}

task<> buffered_reader::read_exactly(std::span<std::byte> into) {
  co_await fill_to(into.size());
  std::copy_n(std::as_bytes(std::span(buffered())).begin(), into.size(), into.begin());
  consume(into.size());
}

task<std::string> buffered_reader::read_until(std::string_view delimiter) {
  if (delimiter.empty())
    throw usage_error("troupe: read_until: the delimiter is empty");
  for (std::size_t searched = 0;;) {
    const std::size_t at = buffered().find(delimiter, searched);
    if (at == std::string_view::npos && buffered().size() >= delimiter.size())
      searched = buffered().size() - (delimiter.size() - 1);
    if ((at == std::string_view::npos ? searched : at) > limit_)
      throw limit_overrun("what stands before the delimiter", limit_);
    if (at != std::string_view::npos)
      co_return take(at + delimiter.size());
    if (!co_await fill())
      throw incomplete_read_error(from_->peer(), std::string(buffered()), 0);
  }
}

task<std::optional<std::string>> buffered_reader::read_line() {
  for (;;) {
    const std::size_t end = buffered().find('\n', searched_);
    std::size_t length = std::min(end, buffered().size());
    // may belong to the line end
    const bool carriage_return = length != 0 && buffered()[length - 1] == '\r';
    if (length > limit_ + (carriage_return ? 1 : 0))
      throw limit_overrun("a line", limit_);
    if (end == std::string_view::npos) {
      searched_ = length;
      if (co_await fill())
        continue;
      if (buffered().empty())
        co_return std::nullopt;
    }
    std::string line = take(length);
    if (end != std::string_view::npos)
      consume(1);
    if (carriage_return)
      line.pop_back();
    co_return line;
  }
}

task<bool> buffered_reader::skip_line() {
  for (;;) {
    const std::size_t end = buffered().find('\n');
    if (end != std::string_view::npos) {
      consume(end + 1);
      co_return true;
    }
    consume(buffered().size());
    if (!co_await fill())
      co_return false;
  }
}

async_generator<std::string> buffered_reader::lines() {
  while (auto line = co_await read_line())
    co_yield *std::move(line);
}

task<std::string> buffered_reader::read_to_end(std::size_t at_most) {
  for (;;) {
    if (buffered().size() > at_most)
      throw limit_overrun("the rest of the stream", at_most);
    const bool more = co_await fill();
    if (!more)
      co_return take(buffered().size());
  }
}

} // namespace troupe
