// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/buffered_reader.hpp>
#include <troupe/chat/event.hpp>
#include <troupe/stream.hpp>

#include <cstddef>
#include <optional>
#include <string>

namespace troupe::chat {

/// What a chat client is connected through. One task reads while another writes.
class connection {
public:
  connection() = default;
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  virtual ~connection() = default;

  /// What `read` gives.
  struct input_line {
    enum class kind { line, too_long, end } what = kind::line;
    std::string text = {};
  };

  /// The next line; one that is too long was passed over. A checkpoint, unless a
  /// line is there already. Throws `net_error`.
  [[nodiscard]] virtual task<input_line> read() = 0;

  /// Adds an event to what `flush` writes. Not a checkpoint.
  virtual void add(const event& e) = 0;

  /// How many bytes wait for `flush`.
  [[nodiscard]] virtual std::size_t pending() const = 0;

  /// Writes what was added. A checkpoint, unless that is nothing. Throws `net_error`.
  [[nodiscard]] virtual task<> flush() = 0;

  /// Says that nothing follows, and closes. A checkpoint if it has to wait. Throws no
  /// `net_error`.
  [[nodiscard]] virtual task<> close() = 0;

  /// Closes at once: `read` and `flush` fail.
  virtual void abort() noexcept = 0;

  /// Where the client is.
  [[nodiscard]] virtual std::string peer() const = 0;
};

/// A client at the other end of a stream: lines of text in both directions.
class text_connection final : public connection {
public:
  text_connection(stream& peer, std::size_t line_limit) : peer_(peer), lines_(peer, line_limit) {}

  [[nodiscard]] task<input_line> read() override;
  void add(const event& e) override;
  [[nodiscard]] std::size_t pending() const override { return out_.size(); }
  [[nodiscard]] task<> flush() override;
  [[nodiscard]] task<> close() override;
  void abort() noexcept override { peer_.abort(); }
  [[nodiscard]] std::string peer() const override { return peer_.peer(); }

private:
  stream& peer_;
  buffered_reader lines_;
  std::string out_;
};

} // namespace troupe::chat
