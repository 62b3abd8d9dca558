// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/queued_writer.hpp>
#include <troupe/serve.hpp>
#include <troupe/stream.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace troupe {

namespace detail {
class protocol_run;
} // namespace detail

/// A connection seen from callbacks: nothing here waits. For the loop of the stream, and only
/// between `connection_made` and `connection_lost`.
class transport {
public:
  transport(const transport&) = delete;
  transport& operator=(const transport&) = delete;

  /// Queues `data`, which is copied, without a bound: `protocol::pause_writing` says when to
  /// stop. After `close`, `abort` or `write_eof` it is dropped.
  void write(std::span<const std::byte> data);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }

  /// Ends this direction when all is written.
  void write_eof();

  /// Writes what is queued, and then closes. Nothing is received any more. Idempotent.
  void close();

  /// Closes at once; what is queued is dropped. Idempotent.
  void abort();
  [[nodiscard]] bool is_closing() const noexcept;

  /// No `data_received` until `resume_reading`. Idempotent.
  void pause_reading();
  void resume_reading();

  /// When `pause_writing` and `resume_writing` are called.
  void write_limits(water_marks marks);

  /// How many bytes are queued.
  [[nodiscard]] std::size_t queued() const noexcept;
  [[nodiscard]] std::string peer() const;
  [[nodiscard]] std::string local() const;

private:
  friend class detail::protocol_run;
  explicit transport(detail::protocol_run& run) noexcept : run_(run) {}

  detail::protocol_run& run_;
};

/// What happens to a connection, as callbacks, for code that is made of them and wants to live
/// beside tasks. They run on the loop, one at a time. What one throws aborts the connection
/// and comes out of `run_protocol`, after `connection_lost`.
///
/// After asyncio's `Protocol`.
class protocol {
public:
  virtual ~protocol() = default;

  /// Called first, once. `t` is valid until `connection_lost` has returned.
  virtual void connection_made(transport& /*t*/) {}

  /// Called with what was read; the bytes are only there during the call.
  virtual void data_received(std::span<const std::byte> data) = 0;

  /// The other side has ended its direction. Returning false closes; true keeps the own
  /// direction open.
  virtual bool eof_received() { return false; }

  /// Called last, once, whatever has happened: `why` is null after `close`, `abort` and the
  /// other side's end, and when the task was cancelled.
  virtual void connection_lost(const std::exception_ptr& /*why*/) {}

  /// More is queued than the high water mark; less again than the low one.
  virtual void pause_writing() {}
  virtual void resume_writing() {}
};

/// Runs `p` on `s` until the connection is over, and closes it. Throws what the connection or
/// a callback has failed with. A checkpoint; cancelled, what is queued is dropped and
/// `connection_lost` is called.
[[nodiscard]] task<> run_protocol(stream& s, protocol& p);

/// Makes a protocol for each connection. Called on the loop that serves it.
using protocol_factory = std::function<std::unique_ptr<protocol>()>;

/// `serve_tcp` with a protocol for each connection. A checkpoint. Throws as `serve_tcp`.
[[nodiscard]] task<> serve_protocol(protocol_factory factory, std::uint16_t port,
                                    serve_options options);

} // namespace troupe
