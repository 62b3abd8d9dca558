// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/waiter.hpp>
#include <troupe/stream.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace troupe::testing {

class memory_read;
class memory_write;

/// One direction of a connection in memory: what is under way in it, and what a test
/// wants to go wrong with it. Belongs to the loop of its streams, and lives as long as
/// anybody holds it. Nothing here is a checkpoint.
class memory_pipe {
public:
  explicit memory_pipe(std::size_t capacity) noexcept : capacity_(capacity) {}
  memory_pipe(const memory_pipe&) = delete;
  memory_pipe& operator=(const memory_pipe&) = delete;

  /// How many bytes may be under way; a write waits while there are so many. With 0, the
  /// reader takes them out of the writer's hands: a write ends when all of it was read.
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  void capacity(std::size_t bytes) noexcept;

  /// The most that one read gives.
  [[nodiscard]] std::size_t piece() const noexcept { return piece_; }
  void piece(std::size_t bytes) noexcept { piece_ = bytes == 0 ? 1 : bytes; }

  /// What was written and has not been read.
  [[nodiscard]] std::string_view bytes() const noexcept {
    return std::string_view(bytes_).substr(read_);
  }
  /// Puts `now` in the place of what is under way.
  void bytes(std::string now);

  /// Adds `more`, whatever the capacity, as if it had been written.
  void put(std::string_view more);

  /// How many bytes have been written by the stream so far.
  [[nodiscard]] std::uint64_t written() const noexcept { return written_; }

  /// The writer has ended it: the reader sees the end behind what is under way.
  void end() noexcept;
  [[nodiscard]] bool ended() const noexcept { return ended_; }

  /// Cuts it: both sides get `connection_reset`, whatever is under way.
  void reset() noexcept;

  /// Whether the reader has left.
  [[nodiscard]] bool closed() const noexcept { return closed_; }

  /// Awaited at the beginning of each read, and of each write: a place to wait, to
  /// count or to throw.
  std::function<task<>()> before_read;
  std::function<task<>()> before_write;

private:
  friend class memory_stream;
  friend class memory_read;
  friend class memory_write;

  void close() noexcept;
  /// Cuts it behind what is under way.
  void break_off() noexcept;
  /// Something has changed: those that wait try again.
  void retry() noexcept;
  void drop(std::size_t n) noexcept;

  std::string bytes_;
  std::size_t read_ = 0; // of them, at the beginning
  std::size_t capacity_;
  std::size_t piece_ = std::numeric_limits<std::size_t>::max();
  std::uint64_t written_ = 0;
  memory_read* reader_ = nullptr; // who waits
  memory_write* writer_ = nullptr;
  bool ended_ = false;
  bool closed_ = false;
  bool reset_ = false;
  bool broken_ = false; // reset, behind what is under way
};

/// How a connection in memory is made.
struct memory_stream_options {
  std::size_t capacity = 65536;      ///< bytes under way, in each direction
  std::string first = "the client";  ///< what the one end is called
  std::string second = "the server"; ///< and the other
};

/// A stream in memory, for tests: the one end of a connection that is made by
/// `memory_stream_pair` or by a `memory_listener`. It behaves as a TCP connection without
/// a network: the same errors, the same checkpoints (`read_some`, `write_all`), the same
/// mistakes (`usage_error` for two readers, or two writers). What the other side has not
/// read when it closes is dropped without a reset.
///
/// Cancelled, `read_some` has read nothing; `write_all` may have written a part.
/// Both ends belong to the loop that made them, or else that uses them first: they throw
/// `usage_error` on another.
class memory_stream final : public stream {
public:
  memory_stream(memory_stream&& other) noexcept
    : stream(std::move(other)), end_(std::move(other.end_)) {}
  memory_stream& operator=(memory_stream&& other) noexcept {
    std::swap(end_, other.end_);
    return *this;
  }
  ~memory_stream() override;

  using stream::write_all;
  [[nodiscard]] task<std::size_t> read_some(std::span<std::byte> into) override;
  [[nodiscard]] task<> write_all(std::span<const std::byte> data) override;
  /// As `stream::send_eof`. Not a checkpoint.
  [[nodiscard]] task<> send_eof() override;
  /// As `stream::close`. Not a checkpoint.
  [[nodiscard]] task<> close() override;
  void abort() noexcept override;
  [[nodiscard]] std::string peer() const override;
  [[nodiscard]] std::string local() const override;
  [[nodiscard]] stream_statistics statistics() const override;

  /// What this end reads from, and writes to. Not to be asked after the stream was moved.
  [[nodiscard]] const std::shared_ptr<memory_pipe>& incoming() const noexcept;
  [[nodiscard]] const std::shared_ptr<memory_pipe>& outgoing() const noexcept;

private:
  friend std::pair<memory_stream, memory_stream> memory_stream_pair(memory_stream_options);
  struct end;
  explicit memory_stream(std::shared_ptr<end> e) noexcept : end_(std::move(e)) {}
  [[nodiscard]] const std::shared_ptr<end>& usable(const char* what) const;
  static task<> write_piece(std::shared_ptr<end> e, std::span<const std::byte> data);

  std::shared_ptr<end> end_; // those who wait hold it, too
};

/// Two streams that are connected.
///
///     auto [client, server] = memory_stream_pair();
///     client.outgoing()->piece(1); // the server reads byte by byte
///
/// Throws `std::bad_alloc`. Not a checkpoint.
[[nodiscard]] std::pair<memory_stream, memory_stream>
memory_stream_pair(memory_stream_options options);
[[nodiscard]] std::pair<memory_stream, memory_stream> memory_stream_pair();

/// Two streams that go in step: a write ends when the other side has read all of it, and
/// not before. It shows what a program keeps in its head that a buffer hides. After Trio's
/// `lockstep_stream_pair`. Not a checkpoint.
[[nodiscard]] std::pair<memory_stream, memory_stream> lockstep_stream_pair();

} // namespace troupe::testing
