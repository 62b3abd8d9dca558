// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "message_parser.hpp"

#include <troupe/cancel_scope.hpp>
#include <troupe/http/server.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace troupe::http {

/// Reads requests from one stream, has them answered, and writes the responses. What `request`
/// and `response` do is done here.
class server_connection {
public:
  server_connection(stream& on, const handler& answer, const server_options& options);

  task<> run();

  // for `request`
  [[nodiscard]] const request_parser& parser() const noexcept { return parser_; }
  task<std::size_t> read_body(std::span<std::byte> into);
  const std::string& peer();
  [[nodiscard]] stream& transport() const noexcept { return stream_; }

  // for `response`
  task<> write_body(std::span<const std::byte> data);
  task<std::unique_ptr<stream>> upgrade();

  // for an upgraded stream
  std::size_t take_buffered(std::span<std::byte> into) noexcept;

private:
  class exchange; // tells the access log, however a request ends

  task<> serve_requests();
  std::size_t parse_head(std::optional<http_error>& error);
  task<> read_head(std::optional<http_error>& error);
  task<bool> wait_for_request();
  task<> answer_request();
  task<> refuse_request(const http_error& why);
  void check_status(int status) const;
  void answer_with(const http_error& why);
  task<> end_response();
  task<> write_whole();
  task<> write_chunk(std::span<const std::byte> data, bool last);
  task<> close_slowly();
  void cut_off() noexcept;

  void begin_exchange();
  [[nodiscard]] bool body_forbidden() const noexcept;
  [[nodiscard]] bool rest_is_short() const noexcept;
  void decide_persistence() noexcept;
  void append_response_head(std::optional<std::uint64_t> length);
  void report(const std::exception_ptr& error) noexcept;
  [[nodiscard]] access_record record() const;

  /// The buffer: what was read and not used lies from begin_ to end_.
  [[nodiscard]] std::string_view unread() const noexcept {
    return {buffer_.get() + begin_, end_ - begin_};
  }
  void make_room();
  [[nodiscard]] std::span<std::byte> room() noexcept {
    return std::as_writable_bytes(std::span(buffer_.get() + end_, capacity_ - end_));
  }
  task<std::optional<std::size_t>> fill_before(time_point deadline);
  task<std::size_t> read_body_stream(std::span<std::byte> into);
  task<> send(std::string_view head, std::span<const std::byte> body, std::string_view tail);
  task<> send_one(std::string_view text);
  void check_sent(bool in_time);
  task<> send_part(std::span<const std::span<const std::byte>> parts);

  stream& stream_;
  const handler& answer_;
  const server_options& options_;
  request request_;
  response response_;
  request_parser parser_;
  std::unique_ptr<char[]> buffer_; // NOLINT(modernize-avoid-c-arrays): not to be zeroed
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::string out_;
  std::string peer_;
  std::string_view piece_;       // of the body, in the buffer, not given out yet
  cancel_scope* idle_ = nullptr; // while no request is under way
  std::size_t requests_ = 0;
  std::optional<std::uint64_t> length_; // of what is streamed
  std::uint64_t streamed_ = 0;
  std::uint64_t body_in_ = 0;
  std::uint64_t bytes_out_ = 0;
  duration body_waited_ = {};
  time_point began_ = {};
  bool expects_continue_ = false;
  bool keep_ = true; // the connection, for another request
  bool draining_ = false;
  bool broken_ = false;   // the stream has failed
  bool bad_body_ = false; // where the next request begins is not known
  bool chunked_out_ = false;
  bool upgraded_ = false;
  bool complete_ = false; // the response has been sent
};

} // namespace troupe::http
