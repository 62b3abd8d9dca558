// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/http/headers.hpp>
#include <troupe/http/url.hpp>
#include <troupe/task.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::http {

namespace client {
class exchange;
} // namespace client

/// A response whose head is there, and whose body is read as it comes.
///
/// It has its connection until the body was read to its end, which gives it back to the session;
/// destroyed before, it closes the connection, unless the rest of the body is there already.
/// When the session ends first, reading is `usage_error`. For one task at a time, on the loop of
/// the session.
///
/// Reading throws `timeout_error` that names the limit, `incomplete_response`, `bad_response`,
/// and what the connection throws (`connection_reset` ...).
class client_response {
public:
  client_response(client_response&&) noexcept;
  client_response& operator=(client_response&&) noexcept;
  ~client_response();

  [[nodiscard]] int status() const noexcept;
  [[nodiscard]] const std::string& reason() const noexcept;
  /// Whether the status is from 200 to 299.
  [[nodiscard]] bool ok() const noexcept { return status() / 100 == 2; }
  [[nodiscard]] const http::headers& headers() const noexcept;

  /// Throws `status_error` if the status is 400 or more.
  void check() const;

  /// What has been answered: the last of the redirects, if there were any.
  [[nodiscard]] const http::url& url() const noexcept;
  /// What was asked for before, the first first; empty if there was no redirect.
  [[nodiscard]] const std::vector<http::url>& redirects() const noexcept;

  /// How long the body is, if the server has said.
  [[nodiscard]] std::optional<std::uint64_t> content_length() const noexcept;

  /// Whether all of the body was read; at once if there is none.
  [[nodiscard]] bool finished() const noexcept;

  /// Waits for a part of the body, at most `into.size()` bytes; 0 at its end. A checkpoint,
  /// unless a part or the end is there already; cancelled, it has read nothing. Throws
  /// `usage_error` if `into` is empty.
  [[nodiscard]] task<std::size_t> read_some(std::span<std::byte> into);

  /// What is left of the body. Throws `body_too_large` if that is more than `at_most` bytes. A
  /// checkpoint as `read_some`; cancelled, what was read is lost.
  [[nodiscard]] task<std::string> read_all(std::size_t at_most);

  /// The same, with the session's `max_body`. A checkpoint as above.
  [[nodiscard]] task<std::string> text();

  /// For the session.
  explicit client_response(std::unique_ptr<client::exchange> e) noexcept;

private:
  std::unique_ptr<client::exchange> exchange_;
};

} // namespace troupe::http
