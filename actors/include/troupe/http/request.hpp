// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/http/message.hpp>
#include <troupe/http/url.hpp>
#include <troupe/stream.hpp>
#include <troupe/task.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::http {

class router;
class server_connection;

/// What a client asks of a server: the head, and a body that is read as it comes.
///
/// It lives until its handler has ended, on the loop of its connection; text that is given out
/// as a `string_view` as long. What the handler leaves of the body is passed over, or the
/// connection closed behind the response if it is much.
class request : public request_head {
public:
  request(const request&) = delete;
  request& operator=(const request&) = delete;

  /// The path of the target, as it was sent: "/a%20b".
  [[nodiscard]] std::string_view path() const noexcept { return split_target(target).path; }

  /// The parameters behind the "?". Throws `http_error` (400) if they are not well written.
  [[nodiscard]] const query_parameters& query() const;

  /// What stands in the path for "{name}" of the route, decoded. Throws `usage_error` if the
  /// route has no such.
  [[nodiscard]] std::string_view param(std::string_view name) const;

  /// Whether there is a body, and how long it is if that is known beforehand.
  [[nodiscard]] bool has_body() const noexcept;
  [[nodiscard]] std::optional<std::uint64_t> content_length() const noexcept;

  /// How many bytes the body may have, instead of `server_options::body_limit`; to be said
  /// before it is read.
  void body_limit(std::uint64_t bytes) noexcept { body_limit_ = bytes; }

  /// Waits for a part of the body and gives its size; 0 at the end. A client that waits for
  /// "100 Continue" is told so.
  ///
  /// A checkpoint, unless a part or the end is there already; cancelled, nothing is lost. Throws
  /// `http_error`: 413 if the body is larger
  /// than allowed, 408 if it does not come in time, 400 if it is badly written or ends in the
  /// middle; and what the stream throws. A handler lets that pass.
  [[nodiscard]] task<std::size_t> read_some(std::span<std::byte> into);

  /// All of the body that is left. A checkpoint, unless it is there already; throws as
  /// `read_some`; cancelled, what was
  /// read is lost.
  [[nodiscard]] task<std::string> read_all();

  /// Where the client is: "127.0.0.1:50412".
  [[nodiscard]] const std::string& peer() const;

  /// The connection, to ask it for its certificate and the like; not to be read or written.
  [[nodiscard]] stream& transport() const noexcept;

private:
  friend class router;
  friend class server_connection;
  explicit request(server_connection& of) noexcept : connection_(&of) {}

  server_connection* connection_;
  std::uint64_t body_limit_ = 0;
  std::vector<std::pair<std::string_view, std::string>> params_;
  mutable std::optional<query_parameters> query_;
};

} // namespace troupe::http
