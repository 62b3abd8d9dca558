// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/http/message.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace troupe::http {

/// What a message may not exceed.
struct message_limits {
  std::size_t head = 16384;
  std::size_t target = 8192;
  std::size_t headers = 100;
};

/// Reads messages out of bytes, on the parser of Boost.Beast; knows of no stream.
///
/// Where Beast is generous this is not, since what two parsers understand differently can be
/// used to smuggle requests: a message has at most one `Content-Length`, of digits alone, and
/// not `Transfer-Encoding` besides, which is "chunked"; no header goes on in the next line.
template <class Head>
class message_parser {
public:
  explicit message_parser(const message_limits& limits);
  message_parser(const message_parser&) = delete;
  message_parser& operator=(const message_parser&) = delete;
  ~message_parser();

  /// Begins the next message, whose head goes to `into`. `no_body`: of a response, whatever its
  /// head says (to HEAD).
  void begin(Head& into, bool no_body = false);

  /// Reads what there is of the head. Gives the size of the head if it is all there, else 0: it
  /// wants to be called again with more behind the same text. Throws `message_error`.
  [[nodiscard]] std::size_t put_head(std::string_view text);

  struct piece {
    std::size_t consumed = 0;   // of the text, the piece included
    std::string_view data = {}; // of the body: in the text, at its consumed end
  };
  /// Reads the next piece of the body. Without data, and not `done`: it needs more text than
  /// what is left of this. Throws `message_error`.
  [[nodiscard]] piece put_body(std::string_view text);

  /// The other side has ended its direction. Throws `message_error` if the message is not
  /// whole.
  void end_of_stream();

  /// The message is whole.
  [[nodiscard]] bool done() const noexcept { return done_; }
  /// There is a body, or was.
  [[nodiscard]] bool has_body() const noexcept { return has_body_; }
  [[nodiscard]] bool chunked() const noexcept { return chunked_; }
  [[nodiscard]] std::optional<std::uint64_t> content_length() const noexcept { return length_; }
  /// What is still to come, where there is a length.
  [[nodiscard]] std::uint64_t remaining() const noexcept { return remaining_; }

private:
  void find_body(const Head& head) noexcept;

  class beast;
  std::unique_ptr<beast> beast_;
  message_limits limits_;
  std::optional<std::uint64_t> length_;
  std::uint64_t remaining_ = 0;
  bool done_ = false;
  bool has_body_ = false;
  bool chunked_ = false;
};

using request_parser = message_parser<request_head>;
using response_parser = message_parser<response_head>;

} // namespace troupe::http
