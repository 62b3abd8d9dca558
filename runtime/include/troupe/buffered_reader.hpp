// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/async_generator.hpp>
#include <troupe/net_error.hpp>
#include <troupe/stream.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace troupe {

/// A line, or what stands before a delimiter, was longer than the limit of its
/// reader. The message names the limit. Nothing was consumed.
class limit_overrun : public std::runtime_error {
public:
  limit_overrun(std::string_view what, std::size_t limit);
  [[nodiscard]] std::size_t limit() const noexcept { return limit_; }

private:
  std::size_t limit_;
};

/// The stream has ended in the middle of what was asked for.
class incomplete_read_error : public end_of_stream {
public:
  /// `expected`: how many bytes were asked for; 0 if that cannot be said.
  incomplete_read_error(std::string_view address, std::string partial, std::size_t expected);

  /// What there was.
  [[nodiscard]] const std::string& partial() const noexcept { return partial_; }
  [[nodiscard]] std::size_t expected() const noexcept { return expected_; }

private:
  std::string partial_;
  std::size_t expected_;
};

/// Reads a stream by lines, by length or up to a delimiter, with a bound on what it
/// keeps.
///
/// Nothing that was read from the stream is lost when a call is cancelled or fails:
/// the next one goes on with it. All calls throw what `stream::read_some` throws, and
/// are for the loop of the stream.
///
/// After asyncio's `StreamReader`.
class buffered_reader {
public:
  /// `limit`: the longest line, in bytes, the line end not counted; or the longest
  /// text before a delimiter.
  explicit buffered_reader(stream& from, std::size_t limit = 65536) noexcept
    : from_(&from), limit_(limit) {}

  /// What is there already, else what `stream::read_some` gives. A checkpoint, unless
  /// something is there already.
  [[nodiscard]] task<std::size_t> read_some(std::span<std::byte> into);

  /// Exactly `count` bytes, or `into.size()`. Throws `incomplete_read_error` if the stream
  /// ends before; the part that there was is in the error, and stays readable. A
  /// checkpoint, unless all is there already.
  [[nodiscard]] task<std::string> read_exactly(std::size_t count);
  [[nodiscard]] task<> read_exactly(std::span<std::byte> into);

  /// Up to the next `delimiter`, which belongs to the result. Throws `limit_overrun` if
  /// more than the limit stands before it, and will again; `incomplete_read_error` at the
  /// end of the stream; `usage_error` if the delimiter is empty. A checkpoint, unless it
  /// is there already.
  [[nodiscard]] task<std::string> read_until(std::string_view delimiter);

  /// The next line, without its "\n" or "\r\n"; nothing at the end of the stream.
  /// What follows the last line end counts as a line if it is not empty.
  ///
  /// Throws `limit_overrun`, and will again: `skip_line` passes over the line. A
  /// checkpoint, unless a whole line is there already.
  [[nodiscard]] task<std::optional<std::string>> read_line();

  /// Passes over what is left of the current line, however long. Gives false at
  /// the end of the stream. A checkpoint as `read_line`.
  [[nodiscard]] task<bool> skip_line();

  /// The lines up to the end of the stream, as `read_line` gives them. The reader must
  /// outlive the generator.
  [[nodiscard]] async_generator<std::string> lines();

  /// Everything up to the end of the stream. Throws `limit_overrun` if that is more than
  /// `at_most` bytes. A checkpoint.
  [[nodiscard]] task<std::string> read_to_end(std::size_t at_most);

  /// What was read from the stream and is not yet given out.
  [[nodiscard]] std::string_view buffered() const noexcept {
    return std::string_view(buffer_).substr(begin_);
  }

  [[nodiscard]] std::size_t limit() const noexcept { return limit_; }

private:
  task<bool> fill();
  task<> fill_to(std::size_t count);
  void consume(std::size_t count) noexcept;
  std::string take(std::size_t count);

  stream* from_;
  std::size_t limit_;
  std::string buffer_;
  std::size_t begin_ = 0;    // what is before was given out
  std::size_t searched_ = 0; // from begin_: no line end in here
  bool ended_ = false;
};

} // namespace troupe
