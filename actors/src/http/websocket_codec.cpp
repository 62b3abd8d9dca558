// SPDX-License-Identifier: BSD-3-Clause
#include "websocket_codec.hpp"

#include <boost/locale/utf.hpp>

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <new>

namespace troupe::http {

namespace {

/// From here on, data that needs no mask is not copied behind its header.
constexpr std::size_t large = 4096;

constexpr unsigned rsv1 = WSLAY_RSV1_BIT;

bool is_code_to_receive(std::uint16_t code) noexcept {
  return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006)
         || (code >= 3000 && code <= 4999);
}

bool is_control(unsigned opcode) noexcept { return (opcode & 8U) != 0; }

} // namespace

std::optional<std::size_t> utf8_prefix(std::string_view text) noexcept {
  using traits = boost::locale::utf::utf_traits<char>;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (;;) {
    std::uint64_t word = 0;
    while (end - at >= 8) { // much of all text is ASCII
      std::memcpy(&word, at, 8);
      if ((word & 0x8080808080808080U) != 0)
        break;
      at += 8;
    }
    if (at == end)
      return text.size();
    const char* const begin = at;
    const auto c = traits::decode(at, end);
    if (c == boost::locale::utf::illegal)
      return std::nullopt;
    if (c == boost::locale::utf::incomplete)
      return static_cast<std::size_t>(begin - text.data());
  }
}

bool is_utf8(std::string_view text) noexcept { return utf8_prefix(text) == text.size(); }

websocket_codec::websocket_codec(websocket_role role, const websocket_options& options,
                                 const std::optional<deflate_agreement>& deflate)
  : options_(options), role_(role) {
  wslay_frame_context_ptr frames = nullptr;
  const wslay_frame_callbacks callbacks{collect, give, make_mask};
  if (wslay_frame_context_init(&frames, &callbacks, this) != 0)
    throw std::bad_alloc();
  frames_.reset(frames);
  if (deflate)
    deflate_ = std::make_unique<message_deflate>(*deflate);
}

ssize_t websocket_codec::give(std::uint8_t* buffer, std::size_t size, int /*flags*/,
                              void* self) noexcept {
  auto& in = static_cast<websocket_codec*>(self)->input_;
  const auto part = in.first(std::min(size, in.size()));
  std::memcpy(buffer, part.data(), part.size());
  in = in.subspan(part.size());
  return static_cast<ssize_t>(part.size()); // 0: it wants more
}

ssize_t websocket_codec::collect(const std::uint8_t* data, std::size_t size, int /*flags*/,
                                 void* self) noexcept {
  if (auto* out = static_cast<websocket_codec*>(self)->output_)
    out->append(reinterpret_cast<const char*>(data), size); // there is room: see add_frame
  return static_cast<ssize_t>(size);
}

int websocket_codec::make_mask(std::uint8_t* buffer, std::size_t size, void* /*self*/) noexcept {
  // They must not be foreseen by those who choose the data (RFC 6455, 10.3).
  thread_local std::array<std::uint8_t, 1024> pool;
  thread_local std::size_t used = pool.size();
  if (pool.size() - used < size) {
    if (RAND_bytes(pool.data(), static_cast<int>(pool.size())) != 1)
      return -1;
    used = 0;
  }
  std::memcpy(buffer, pool.data() + used, size);
  used += size;
  return 0;
}

// -- what comes

websocket_codec::step websocket_codec::fail(std::uint16_t code, std::string_view why) {
  over_ = true;
  code_ = code;
  control_ = why;
  return step::failed;
}

websocket_codec::step websocket_codec::next(bool in_pieces) {
  piecewise_ = in_pieces;
  while (!over_) {
    wslay_frame_iocb frame{};
    const ssize_t got = wslay_frame_recv(frames_.get(), &frame);
    if (got == WSLAY_ERR_WANT_READ) {
      if (in_pieces && in_message_ && checked_ != 0)
        return step::piece;
      return step::wants_more;
    }
    if (got < 0)
      return fail(close_code::protocol_error, "the header of a frame makes no sense");
    step s = step::wants_more;
    if (!in_frame_)
      s = begin_frame(frame);
    if (s == step::wants_more && frame.data_length != 0)
      s = data_of_frame(frame);
    if (s == step::wants_more && left_ == 0)
      s = end_of_frame(in_pieces);
    if (s != step::wants_more)
      return s;
  }
  return step::wants_more;
}

websocket_codec::step websocket_codec::begin_frame(const wslay_frame_iocb& frame) {
  in_frame_ = true;
  opcode_ = frame.opcode;
  left_ = frame.payload_length;
  if ((frame.mask != 0) != (role_ == websocket_role::server))
    return fail(close_code::protocol_error,
                frame.mask != 0 ? "a server's frame is masked" : "a client's frame is not masked");
  const bool begins = opcode_ == WSLAY_TEXT_FRAME || opcode_ == WSLAY_BINARY_FRAME;
  if (frame.rsv != 0 && !(deflate_ && begins && frame.rsv == rsv1))
    return fail(close_code::protocol_error, "a reserved bit is set");
  if (is_control(opcode_)) { // wslay has looked at length and fragments
    if (opcode_ > WSLAY_PONG)
      return fail(close_code::protocol_error, "an unknown kind of frame");
    if (opcode_ == WSLAY_CONNECTION_CLOSE && left_ == 1)
      return fail(close_code::protocol_error, "half of a code to close with");
    control_.clear();
    return step::wants_more;
  }
  if (!begins && opcode_ != WSLAY_CONTINUATION_FRAME)
    return fail(close_code::protocol_error, "an unknown kind of frame");
  if (begins && in_message_)
    return fail(close_code::protocol_error, "a message begins in the middle of another one");
  if (!begins && !in_message_)
    return fail(close_code::protocol_error, "a continuation of nothing");
  if (left_ > options_.frame_limit)
    return fail(close_code::too_big, "the frame is too long");
  if (begins) {
    in_message_ = true;
    kind_ = opcode_ == WSLAY_TEXT_FRAME ? message_kind::text : message_kind::binary;
    compressed_ = frame.rsv != 0;
    wire_size_ = 0;
  }
  last_ = frame.fin != 0;
  if (!piecewise_ && left_ > options_.message_limit - std::min(wire_size_, options_.message_limit))
    return fail(close_code::too_big, "the message is too long");
  wire_size_ += left_;
  return step::wants_more;
}

websocket_codec::step websocket_codec::data_of_frame(const wslay_frame_iocb& frame) {
  const auto data = std::as_bytes(std::span(frame.data, frame.data_length));
  left_ -= data.size();
  const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
  if (is_control(opcode_)) {
    control_.append(text);
    return step::wants_more;
  }
  if (compressed_) {
    const std::size_t limit =
      piecewise_ ? std::numeric_limits<std::size_t>::max() : options_.message_limit;
    switch (deflate_->expand(message_, data, limit)) {
    case message_deflate::result::good: break;
    case message_deflate::result::too_big:
      return fail(close_code::too_big, "the message is too long");
    case message_deflate::result::bad:
      return fail(close_code::bad_data, "the message is not compressed as it should be");
    }
  } else {
    message_.append(text);
  }
  if (!check_text(false))
    return fail(close_code::bad_data, "the text is not UTF-8");
  return step::wants_more;
}

websocket_codec::step websocket_codec::end_of_frame(bool in_pieces) {
  in_frame_ = false;
  if (is_control(opcode_))
    return end_of_control();
  if (last_)
    return end_of_message();
  if (in_pieces && checked_ != 0)
    return step::piece;
  return step::wants_more;
}

websocket_codec::step websocket_codec::end_of_message() {
  if (compressed_) {
    const std::size_t limit =
      piecewise_ ? std::numeric_limits<std::size_t>::max() : options_.message_limit;
    const auto result = deflate_->expand_end(message_, limit);
    if (result == message_deflate::result::too_big)
      return fail(close_code::too_big, "the message is too long");
    if (result == message_deflate::result::bad)
      return fail(close_code::bad_data, "the message is not compressed as it should be");
  }
  if (!check_text(true))
    return fail(close_code::bad_data, "the text is not UTF-8");
  in_message_ = false;
  return step::message;
}

websocket_codec::step websocket_codec::end_of_control() {
  if (opcode_ == WSLAY_PING)
    return step::ping;
  if (opcode_ == WSLAY_PONG)
    return step::pong;
  code_ = close_code::none;
  if (!control_.empty()) {
    code_ = static_cast<std::uint16_t>((static_cast<unsigned char>(control_[0]) << 8U)
                                       | static_cast<unsigned char>(control_[1]));
    control_.erase(0, 2);
    if (!is_code_to_receive(code_))
      return fail(close_code::protocol_error, "closed with a code that must not be sent");
    if (!is_utf8(control_))
      return fail(close_code::bad_data, "the reason for closing is not UTF-8");
  }
  over_ = true;
  return step::closed;
}

bool websocket_codec::check_text(bool at_end) noexcept {
  if (kind_ == message_kind::binary) {
    checked_ = message_.size();
    return true;
  }
  const auto more = utf8_prefix(std::string_view(message_).substr(checked_));
  if (!more)
    return false;
  checked_ += *more;
  return !at_end || checked_ == message_.size();
}

std::string websocket_codec::take() {
  std::string taken = std::move(message_);
  message_ = taken.substr(checked_); // a part of a character
  taken.resize(checked_);
  checked_ = 0;
  return taken;
}

// -- what goes

void websocket_codec::add_frame(std::string& out, unsigned opcode, unsigned rsv,
                                std::span<const std::byte> data, bool header_only) {
  constexpr std::size_t longest_header = 14;
  out.reserve(out.size() + longest_header + (header_only ? 0 : data.size()));
  wslay_frame_iocb frame{};
  frame.fin = 1;
  frame.rsv = static_cast<std::uint8_t>(rsv);
  frame.opcode = static_cast<std::uint8_t>(opcode);
  frame.mask = role_ == websocket_role::client ? 1 : 0;
  frame.payload_length = data.size();
  if (header_only) {
    output_ = &out;
    wslay_frame_send(frames_.get(), &frame);
    output_ = nullptr; // the rest is not kept
  } else {
    output_ = &out;
  }
  frame.data = reinterpret_cast<const std::uint8_t*>(data.data());
  frame.data_length = data.size();
  const ssize_t sent = wslay_frame_send(frames_.get(), &frame);
  output_ = nullptr;
  if (sent < 0)
    throw std::runtime_error("troupe: no random number for the mask of a WebSocket's frame");
}

bool websocket_codec::encode(std::string& out, message_kind kind, std::span<const std::byte> data) {
  const unsigned opcode = kind == message_kind::text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME;
  if (deflate_ && data.size() >= options_.deflate_from) {
    std::string compressed;
    deflate_->compress(compressed, data);
    add_frame(out, opcode, rsv1, std::as_bytes(std::span(compressed)), false);
    return false;
  }
  const bool apart = role_ == websocket_role::server && data.size() >= large;
  add_frame(out, opcode, 0, data, apart);
  return apart;
}

void websocket_codec::encode_control(std::string& out, unsigned opcode, std::string_view data) {
  add_frame(out, opcode, 0, std::as_bytes(std::span(data)), false);
}

void websocket_codec::encode_close(std::string& out, std::uint16_t code, std::string_view reason) {
  std::string data;
  if (code != close_code::none) {
    data.push_back(static_cast<char>(code >> 8U));
    data.push_back(static_cast<char>(code & 0xFFU));
    data.append(reason);
  }
  encode_control(out, WSLAY_CONNECTION_CLOSE, data);
}

} // namespace troupe::http
