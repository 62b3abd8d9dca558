// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "websocket_deflate.hpp"

#include <troupe/http/websocket.hpp>

#include <wslay/wslay.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace troupe::http {

enum class websocket_role { client, server };

/// What RFC 6455 says of bytes, without reading or writing any. Frames are wslay's; how they make
/// messages, and what is allowed, is ours: wslay's own layer for that keeps what a frame says of
/// its length in memory, knows no 1012 to 1014, and ends without a code.
class websocket_codec {
public:
  websocket_codec(websocket_role role, const websocket_options& options,
                  const std::optional<deflate_agreement>& deflate);
  websocket_codec(const websocket_codec&) = delete;
  websocket_codec& operator=(const websocket_codec&) = delete;

  // -- what comes

  enum class step {
    wants_more, ///< bytes
    message,    ///< see `take`
    piece,      ///< the same; more follow
    ping,       ///< see `control`
    pong,
    closed, ///< see `code` and `control`
    failed, ///< the same: what to tell the other side, and why
  };

  /// Gives bytes to `next`, when it wants more; they must stay until it does again.
  void feed(std::span<const std::byte> bytes) noexcept { input_ = bytes; }

  /// Whether all that was fed has been taken.
  [[nodiscard]] bool hungry() const noexcept { return input_.empty(); }

  [[nodiscard]] step next(bool in_pieces);

  /// The message, or the piece.
  [[nodiscard]] std::string take();
  [[nodiscard]] message_kind kind() const noexcept { return kind_; }
  /// Whether a message has begun.
  [[nodiscard]] bool in_message() const noexcept { return in_message_; }

  [[nodiscard]] std::string_view control() const noexcept { return control_; }
  [[nodiscard]] std::uint16_t code() const noexcept { return code_; }

  // -- what goes

  /// Adds the frame of a message to `out`. If it returns true, the data itself has to be sent
  /// behind `out`, as it is.
  [[nodiscard]] bool encode(std::string& out, message_kind kind, std::span<const std::byte> data);
  void encode_control(std::string& out, unsigned opcode, std::string_view data);
  void encode_close(std::string& out, std::uint16_t code, std::string_view reason);

  [[nodiscard]] bool deflates() const noexcept { return deflate_ != nullptr; }

private:
  static ssize_t give(std::uint8_t* buffer, std::size_t size, int flags, void* self) noexcept;
  static ssize_t collect(const std::uint8_t* data, std::size_t size, int flags,
                         void* self) noexcept;
  static int make_mask(std::uint8_t* buffer, std::size_t size, void* self) noexcept;

  step fail(std::uint16_t code, std::string_view why);
  step begin_frame(const wslay_frame_iocb& frame);
  step data_of_frame(const wslay_frame_iocb& frame);
  step end_of_frame(bool in_pieces);
  step end_of_message();
  step end_of_control();
  bool check_text(bool at_end) noexcept;
  void add_frame(std::string& out, unsigned opcode, unsigned rsv, std::span<const std::byte> data,
                 bool header_only);

  struct freeing {
    void operator()(wslay_frame_context* c) const noexcept { wslay_frame_context_free(c); }
  };

  std::unique_ptr<wslay_frame_context, freeing> frames_;
  std::unique_ptr<message_deflate> deflate_; // null: not agreed on
  std::span<const std::byte> input_;
  std::string* output_ = nullptr;
  std::string message_;       // what is there of it
  std::size_t checked_ = 0;   // of it, as UTF-8
  std::size_t wire_size_ = 0; // of the message: it may be compressed
  std::string control_;
  const websocket_options& options_;
  std::uint64_t left_ = 0; // of the frame
  std::uint16_t code_ = 0;
  std::uint8_t opcode_ = 0; // of the frame
  message_kind kind_ = message_kind::text;
  websocket_role role_;
  bool in_frame_ = false;
  bool in_message_ = false;
  bool last_ = false; // the frame is the last of its message
  bool compressed_ = false;
  bool over_ = false;
  bool piecewise_ = false;
};

/// How far `text` is UTF-8, in whole characters; nothing if it is not, even if more came.
[[nodiscard]] std::optional<std::size_t> utf8_prefix(std::string_view text) noexcept;

} // namespace troupe::http
