// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/task.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace troupe {

/// What has gone through a stream so far. Times are exact to a few milliseconds.
struct stream_statistics {
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
  time_point opened = {};
  time_point last_read = {};    ///< of at least a byte; as `opened` if there was none
  time_point last_written = {}; ///< as above
};

/// An ordered channel of bytes in both directions: what a service is written on,
/// so that it runs on TCP as well as on anything else that implements this.
///
/// One task may read while another writes; two that read (or write) at the same
/// time are a mistake, `usage_error`. A stream belongs to the loop that made it
/// and throws `usage_error` elsewhere. The destructor closes without waiting.
///
/// Reading by lines, by length or up to a mark is `buffered_reader`; many small
/// writes are `buffered_writer`; writes that must not wait are `queued_writer`.
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

  /// Writes all `parts`, one after the other, as if they were one: a head and a body
  /// need not be copied together. A checkpoint, as above. The list of parts, too,
  /// must live until the call returns.
  [[nodiscard]] virtual task<> write_all(std::span<const std::span<const std::byte>> parts);

  /// Ends this direction: the other side reads up to here, and then 0. Reading
  /// goes on. Not a checkpoint on a socket.
  [[nodiscard]] virtual task<> send_eof() = 0;

  /// Closes both directions; what was written still arrives. A task that waits in
  /// this stream gets `stream_closed`. Idempotent. Not a checkpoint on a socket.
  [[nodiscard]] virtual task<> close() = 0;

  /// Closes at once and drops what has not been sent yet: for a peer that is not
  /// worth waiting for. Idempotent.
  virtual void abort() noexcept = 0;

  /// Where the other side is, and where this side is: "127.0.0.1:9011".
  [[nodiscard]] virtual std::string peer() const = 0;
  [[nodiscard]] virtual std::string local() const = 0;

  /// What has gone through so far, also after the end.
  [[nodiscard]] virtual stream_statistics statistics() const = 0;

protected:
  stream() = default;
  stream(stream&&) = default;
  stream& operator=(stream&&) = default;
};

} // namespace troupe
