// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::http {

/// What was agreed on about permessage-deflate, from one side's view.
struct deflate_agreement {
  int own_window = 15;      ///< bits
  bool own_takeover = true; ///< a message may refer to those before
  bool others_takeover = true;
};

/// The first of a client's offers (`Sec-WebSocket-Extensions`) that this server can do, and what
/// to answer.
struct deflate_answer {
  deflate_agreement agreed;
  std::string text;
};
[[nodiscard]] std::optional<deflate_answer>
answer_deflate(const std::vector<std::string_view>& offers);

/// What a client offers.
inline constexpr std::string_view deflate_offer = "permessage-deflate; client_max_window_bits";

/// What a server's answer to this offer means; nothing if it makes no sense.
[[nodiscard]] std::optional<deflate_agreement> read_deflate_answer(std::string_view answer);

/// Compresses and expands messages (RFC 7692), by zlib.
class message_deflate {
public:
  explicit message_deflate(const deflate_agreement& agreed);
  ~message_deflate();

  /// Adds the compressed message to `out`.
  void compress(std::string& out, std::span<const std::byte> message);

  enum class result { good, too_big, bad };

  /// Adds to `out` what `data`, a part of a message, comes to; not more than `limit` in all.
  [[nodiscard]] result expand(std::string& out, std::span<const std::byte> data, std::size_t limit);
  /// At the end of a message.
  [[nodiscard]] result expand_end(std::string& out, std::size_t limit);

private:
  struct streams;
  std::unique_ptr<streams> streams_;
  deflate_agreement agreed_;
};

} // namespace troupe::http
