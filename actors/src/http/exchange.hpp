// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "client_connection.hpp"
#include "message_parser.hpp"

#include <troupe/actors/connection_pool.hpp>
#include <troupe/cancel_scope.hpp>
#include <troupe/clock.hpp>
#include <troupe/http/client_request.hpp>
#include <troupe/http/message.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::http::client {

class core;
using connection_lease = lease<std::unique_ptr<connection>>;

/// One request that was sent, and its response: what is behind a `client_response`.
class exchange {
public:
  /// `deadline`: for all of it.
  exchange(core& session, const client_request& what, time_point deadline);
  exchange(const exchange&) = delete;
  exchange& operator=(const exchange&) = delete;
  ~exchange();

  /// Sends the request and waits for the head of the response. A checkpoint.
  [[nodiscard]] task<> perform(connection_lease on, client_request& what);

  /// After `perform` has failed: whether the connection had served another request, and has
  /// ended before a byte of this response.
  [[nodiscard]] bool was_stale() const noexcept { return reused_ && !heard_ && ended_; }
  [[nodiscard]] bool reused() const noexcept { return reused_; }

  [[nodiscard]] response_head& head() noexcept { return head_; }
  /// What the head says.
  [[nodiscard]] std::optional<std::uint64_t> content_length() const noexcept {
    return parser_.content_length();
  }
  [[nodiscard]] const std::string& request() const noexcept { return request_; }
  [[nodiscard]] const http::url& url() const noexcept { return url_; }
  [[nodiscard]] bool finished() const noexcept {
    return head_done_ && parser_.done() && pending_ == 0;
  }
  [[nodiscard]] std::size_t max_body() const noexcept { return max_body_; }

  /// As `client_response`. A checkpoint.
  [[nodiscard]] task<std::size_t> read_some(std::span<std::byte> into);
  [[nodiscard]] task<std::string> read_all(std::size_t at_most);

  /// Reads the rest of the body and drops it, if it is short and comes soon; else closes the
  /// connection. A checkpoint.
  [[nodiscard]] task<> drain();

  /// The session ends.
  void orphan() noexcept;

  std::vector<http::url> redirects;

private:
  friend class core;

  [[nodiscard]] task<> send(connection& to, std::string head, upload& body);
  [[nodiscard]] task<> send_while_listening(connection& on, const std::string& head, upload& body);
  [[nodiscard]] task<> send_body(connection& to, const std::string& head, upload& body);
  [[nodiscard]] task<> send_parts(stream& to, upload& body);
  [[nodiscard]] task<> wait_for_head(connection& on);
  [[nodiscard]] bool is_interim();
  [[nodiscard]] task<std::size_t> fill(connection& from);
  [[nodiscard]] task<std::size_t> read_part(std::span<std::byte> into);
  [[nodiscard]] task<std::size_t> read_more(connection& from, std::span<std::byte> into);
  [[nodiscard]] std::size_t take(connection& from, std::span<std::byte> into);
  void all_sent();
  void end() noexcept;
  void close() noexcept;

  core* session_; // null when it has ended
  std::list<exchange*>::iterator place_;
  std::string request_; // "GET http://example.com/"
  http::url url_;
  response_head head_;
  response_parser parser_;
  std::size_t pending_ = 0; // bytes of the body, at the beginning of the connection's buffer
  std::optional<connection_lease> connection_;
  std::exception_ptr error_;
  std::uint64_t received_ = 0;
  std::size_t max_body_;
  time_point deadline_;
  duration total_limit_;
  duration read_limit_;
  cancel_scope* waiting_ = nullptr; // for the head, while the body is sent
  int interim_ = 0;                 // responses, 1xx
  bool to_head_;
  bool sent_ = false;
  bool heard_ = false; // a byte of the response
  bool ended_ = false; // the connection has, before that
  bool reused_ = false;
  bool keep_ = true; // the connection, afterwards
  bool head_done_ = false;
};

} // namespace troupe::http::client
