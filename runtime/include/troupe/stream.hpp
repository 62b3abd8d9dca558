// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/task.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace troupe {

/// An ordered channel of bytes in both directions: what a service is written on,
/// so that it runs on TCP as well as on anything else that implements this.
///
/// One task may read while another writes; two that read (or write) at the same
/// time are a mistake, `usage_error`. A stream belongs to the loop that made it
/// and throws `usage_error` elsewhere. The destructor closes without waiting.
class stream {
public:
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;
  virtual ~stream() = default;

  /// Waits until there is something to read, and reads what is there, at most
  /// `into.size()` bytes; 0 means that the other side has ended its direction.
  ///
  /// A checkpoint; cancelled, it has read nothing. Throws `net_error`
  /// (`connection_reset` ...), `usage_error` if `into` is empty.
  [[nodiscard]] virtual task<std::size_t> read_some(std::span<std::byte> into) = 0;

  /// Writes all of `data`, waiting while the other side is slow.
  ///
  /// A checkpoint. Cancelled in the middle, it has written a part, and nobody can
  /// say which: an exception to "cancelled means that it did not happen", after
  /// which the stream is good for nothing but closing. Throws `net_error`
  /// (`connection_reset`, `broken_pipe` ...).
  [[nodiscard]] virtual task<> write_all(std::span<const std::byte> data) = 0;

  /// As above, a checkpoint. The text must live until the call returns.
  [[nodiscard]] task<> write_all(std::string_view text) {
    return write_all(std::as_bytes(std::span(text)));
  }

  /// Ends this direction: the other side reads up to here, and then 0. Reading
  /// goes on. Not a checkpoint on TCP.
  [[nodiscard]] virtual task<> send_eof() = 0;

  /// Closes both directions; what was written still arrives. A task that waits in
  /// this stream gets `stream_closed`. Idempotent. Not a checkpoint on TCP.
  [[nodiscard]] virtual task<> close() = 0;

  /// Closes at once and drops what has not been sent yet: for a peer that is not
  /// worth waiting for. Idempotent.
  virtual void abort() noexcept = 0;

  /// Where the other side is, and where this side is: "127.0.0.1:9011".
  [[nodiscard]] virtual std::string peer() const = 0;
  [[nodiscard]] virtual std::string local() const = 0;

protected:
  stream() = default;
  stream(stream&&) = default;
  stream& operator=(stream&&) = default;
};

/// A line was longer than the limit. The message names the limit.
class line_too_long : public std::runtime_error {
public:
  explicit line_too_long(std::size_t limit);
  [[nodiscard]] std::size_t limit() const noexcept { return limit_; }

private:
  std::size_t limit_;
};

/// Reads a stream line by line, with a bound on what it keeps.
///
/// Nothing that was read from the stream is lost when a call is cancelled: the
/// next one goes on with it.
class line_reader {
public:
  /// `limit`: the longest line, in bytes, the line end not counted.
  explicit line_reader(stream& from, std::size_t limit = 65536) noexcept
    : from_(&from), limit_(limit) {}

  /// The next line, without its "\n" or "\r\n"; nothing at the end of the stream.
  /// What follows the last line end counts as a line if it is not empty.
  ///
  /// Throws `line_too_long`, and will again: `skip_line` passes over the line; and
  /// what `read_some` throws. A checkpoint, unless a whole line is there already.
  [[nodiscard]] task<std::optional<std::string>> read_line();

  /// Passes over what is left of the current line, however long. Gives false at
  /// the end of the stream. A checkpoint as `read_line`.
  [[nodiscard]] task<bool> skip_line();

  /// What was read from the stream and is not yet given out.
  [[nodiscard]] std::string_view buffered() const noexcept {
    return std::string_view(buffer_).substr(begin_);
  }

  [[nodiscard]] std::size_t limit() const noexcept { return limit_; }

private:
  task<bool> fill();
  std::string take(std::size_t length, std::size_t line_end);

  stream* from_;
  std::size_t limit_;
  std::string buffer_;
  std::size_t begin_ = 0;    // what is before was given out
  std::size_t searched_ = 0; // from begin_: no line end in here
  bool ended_ = false;
};

} // namespace troupe
