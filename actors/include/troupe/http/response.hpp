// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/http/message.hpp>
#include <troupe/stream.hpp>
#include <troupe/task.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace troupe::http {

class server_connection;

/// What a server answers. A handler sets `status`, `headers` and `body`, and it is sent when
/// the handler has ended:
///
///     task<> hello(http::request& rq, http::response& rs) {
///       rs.body = "hello, " + std::string(rq.param("name")) + "\n";
///       co_return;
///     }
///
/// Or it streams: the first `write` sends the head, which cannot be changed from then on. The
/// length of what is streamed may be said by `Content-Length`, and must be kept then; else it
/// goes in chunks, to a client of HTTP/1.0 up to the end of the connection.
///
/// The server adds `Content-Length`, `Date` and `Connection`, and "text/plain; charset=utf-8"
/// where there is a body without a `Content-Type`. No body is sent where there must be none:
/// to HEAD, with 204 and 304. A status that is not from 200 to 599 is a mistake of the handler
/// (`usage_error`), which the client hears of as 500.
class response : public response_head {
public:
  response(const response&) = delete;
  response& operator=(const response&) = delete;

  std::string body = {}; ///< sent when the handler has ended, unless it streams

  /// Sends a part of the body, after the head and what is in `body` if they have not been sent
  /// yet. With nothing in `data`, sends those alone. Waits while the client is slow.
  ///
  /// A checkpoint; cancelled in the middle, the connection is cut off. Throws `http_error`
  /// (408) if the client takes nothing for too long, `usage_error` if it is more than
  /// `Content-Length` says or the status is none, and what the stream throws. A handler lets that
  /// pass.
  [[nodiscard]] task<> write(std::span<const std::byte> data);
  [[nodiscard]] task<> write(std::string_view text) {
    return write(std::as_bytes(std::span(text)));
  }

  /// Whether the head has been sent.
  [[nodiscard]] bool started() const noexcept { return started_; }

  /// Closes the connection behind this response.
  void close_connection() noexcept { close_ = true; }

  /// Answers "101 Switching Protocols" with `headers`, which have to have `Upgrade` among them,
  /// and gives the connection, with what the client has sent behind its request still to be
  /// read. It is the handler's until it ends; the server closes it then, and reads no more
  /// requests from it.
  ///
  /// A checkpoint. Throws `usage_error` if the head has been sent, `http_error` (426) if the
  /// client did not ask for an upgrade; and what the stream throws.
  [[nodiscard]] task<std::unique_ptr<stream>> upgrade();

private:
  friend class server_connection;
  explicit response(server_connection& of) noexcept : connection_(&of) {}

  server_connection* connection_;
  bool started_ = false;
  bool close_ = false;
};

} // namespace troupe::http
