// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/net_error.hpp>
#include <troupe/retry.hpp>
#include <troupe/stream.hpp>
#include <troupe/task.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace troupe::http {

struct request_head;

/// The codes with which a WebSocket is closed (RFC 6455, 7.4). One's own are 3000 to 4999.
namespace close_code {
inline constexpr std::uint16_t normal = 1000;
inline constexpr std::uint16_t going_away = 1001;
inline constexpr std::uint16_t protocol_error = 1002;
inline constexpr std::uint16_t unsupported = 1003;
inline constexpr std::uint16_t none = 1005;     ///< the other side has given none
inline constexpr std::uint16_t abnormal = 1006; ///< it has gone without closing
inline constexpr std::uint16_t bad_data = 1007; ///< a text that is no UTF-8
inline constexpr std::uint16_t policy = 1008;
inline constexpr std::uint16_t too_big = 1009;
inline constexpr std::uint16_t internal_error = 1011;
inline constexpr std::uint16_t service_restart = 1012;
inline constexpr std::uint16_t try_again_later = 1013;
} // namespace close_code

/// A WebSocket is closed, and not in the ordinary way. "cannot receive from 127.0.0.1:4711: the
/// other side has ended it (closed with 1008: no, you don't)".
class websocket_closed : public end_of_stream {
public:
  websocket_closed(std::string_view operation, std::string_view address, std::uint16_t code,
                   std::string reason, bool by_peer);

  /// `close_code`: what the other side has said, or what was said to it.
  [[nodiscard]] std::uint16_t code() const noexcept { return code_; }
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
  /// Whether it was the other side; else this side did, as the other one has broken the protocol
  /// or a limit.
  [[nodiscard]] bool by_peer() const noexcept { return by_peer_; }

private:
  std::uint16_t code_;
  std::string reason_;
  bool by_peer_;
};

/// What a message is made of.
enum class message_kind { text, binary };

/// A message: a text is UTF-8.
struct websocket_message {
  message_kind kind = message_kind::text;
  std::string data = {};

  [[nodiscard]] bool is_text() const noexcept { return kind == message_kind::text; }
};

/// A part of a message.
struct websocket_piece {
  message_kind kind = message_kind::text; ///< of the whole message
  std::string data = {};                  ///< not empty, unless it is the last; a text is not cut
                                          ///< in a character
  bool last = false;                      ///< of its message
};

/// How a WebSocket behaves.
struct websocket_options {
  std::size_t message_limit = 1U << 20; ///< bytes of a message that comes; one more: 1009
  std::size_t frame_limit = 16U << 20;  ///< the same for each frame, also of one in pieces
  duration close_limit = std::chrono::seconds(5); ///< for `close`, and for an answer to a ping
                                                  ///< that the other side does not read

  /// A task that waits in `receive` asks a peer that is silent (`interval`), and takes it for
  /// dead (`limit`): `connection_timeout`.
  std::optional<heartbeat_options> keepalive = std::nullopt;

  /// Compresses messages (permessage-deflate, RFC 7692) if the other side can, too. That costs
  /// some 300 kB for each connection that does.
  bool deflate = false;
  std::size_t deflate_from = 256; ///< bytes: shorter messages are sent as they are
};

/// What has gone through a WebSocket so far.
struct websocket_statistics {
  std::uint64_t messages_received = 0;
  std::uint64_t messages_sent = 0;
  stream_statistics transport = {};
};

/// Messages over a stream (RFC 6455), the server's or the client's side; made by
/// `open_websocket`, `accept_websocket` and their kin.
///
/// One task may receive while others send, ping or close. What one sends is sent as a whole,
/// in the order of the calls. A ping of the other side is answered by whoever is at work here:
/// a peer that is not received from gets no answer. What one has to know of cancellation:
///
/// - `receive`: cancelled, it has received nothing; what has come is kept for the next call.
/// - `send_text`, `send_binary`, `ping`: cancelled in the middle, a part has been sent, and the
///   WebSocket is only good for receiving and closing; cancelled before, nothing has happened.
/// - `close`: cancelled, the connection is cut off.
///
/// It belongs to the loop that made it, as its stream does. The destructor closes the stream
/// without a word: the other side takes that for an abnormal end.
class websocket {
public:
  class state;

  websocket(websocket&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  websocket& operator=(websocket&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~websocket();

  /// The next message; nothing when the WebSocket was closed in the ordinary way (1000, 1001, no
  /// code, or by this side).
  ///
  /// Throws `websocket_closed`; `connection_timeout` (see `websocket_options::keepalive`); what the
  /// stream throws; `usage_error` if another task receives. What it throws, it throws again. A
  /// checkpoint, unless a message is there already.
  [[nodiscard]] task<std::optional<websocket_message>> receive();

  /// As `receive`, but gives a message as it comes, in pieces; the limit of messages does not
  /// count. Throws as above. A checkpoint, unless something is there already.
  [[nodiscard]] task<std::optional<websocket_piece>> receive_piece();

  /// Sends a message, waiting while the other side is slow. The data must live until the call
  /// returns. Throws `websocket_closed` after the end, what the stream throws, and
  /// `std::invalid_argument` if a text is not UTF-8. A checkpoint.
  [[nodiscard]] task<> send_text(std::string_view text);
  [[nodiscard]] task<> send_binary(std::span<const std::byte> data);
  [[nodiscard]] task<> send_binary(std::string_view data);
  /// One of these. A checkpoint.
  [[nodiscard]] task<> send(const websocket_message& message);
  task<> send(websocket_message&& message) = delete; // give it a name: it must live

  /// Asks the other side for a sign of life, which is dropped when it is received (but see
  /// `heartbeat`). At most 125 bytes, else `usage_error`. A checkpoint; throws as `send_text`.
  [[nodiscard]] task<> ping(std::string_view data = {});

  /// Says goodbye, waits at most for `close_limit` until the other side has said it, too, and
  /// closes the stream. What still comes is dropped; another task that receives gets nothing.
  /// Throws no `net_error`, whatever goes wrong on the way; `usage_error` for a code that is
  /// not to be sent, and for a reason that is longer than 123 bytes or no UTF-8. Idempotent. A
  /// checkpoint, unless it is closed already.
  [[nodiscard]] task<> close(std::uint16_t code = close_code::normal, std::string_view reason = {});

  /// Cuts the connection off. Idempotent.
  void abort() noexcept;

  /// What was agreed on; empty if nothing was.
  [[nodiscard]] const std::string& subprotocol() const noexcept;
  /// Whether messages are compressed.
  [[nodiscard]] bool deflates() const noexcept;
  /// The request it began with: target, headers.
  [[nodiscard]] const request_head& request() const noexcept;

  [[nodiscard]] std::string peer() const;
  [[nodiscard]] std::string local() const;
  [[nodiscard]] websocket_statistics statistics() const;

  /// For those who make one.
  explicit websocket(state& s) noexcept : state_(&s) {}

private:
  state* state_;
};

/// Whether `text` is UTF-8 as it has to be (RFC 3629), to its last character.
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

} // namespace troupe::http
