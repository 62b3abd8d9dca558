// SPDX-License-Identifier: BSD-3-Clause
// How server_connection reads bodies and writes responses.
#include "head_lines.hpp"
#include "server_connection.hpp"

#include <troupe/nursery.hpp>
#include <troupe/time.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstring>

namespace troupe::http {

namespace {

constexpr std::size_t first_buffer = 4096;

/// How much of a body that no handler has read is read to keep the connection.
constexpr std::uint64_t short_rest = 65536;

/// A body up to this is copied behind its head.
constexpr std::size_t small_body = 4096;

/// What is written at once, within `write_time`.
constexpr std::size_t write_piece = 262144;

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

template <class T>
std::string_view digits(std::array<char, 24>& into, T n, int base = 10) {
  const auto end = std::to_chars(into.data(), into.data() + into.size(), n, base).ptr;
  return {into.data(), static_cast<std::size_t>(end - into.data())};
}

} // namespace

// -- reading --------------------------------------------------------------------------

void server_connection::make_room() {
  if (begin_ == end_)
    begin_ = end_ = 0;
  if (end_ != capacity_)
    return;
  if (begin_ == 0) {
    const std::size_t more = std::max(first_buffer, capacity_ * 2);
    std::unique_ptr<char[]> larger(new char[more]); // NOLINT
    if (end_ != 0)
      std::copy_n(buffer_.get(), end_, larger.get());
    buffer_ = std::move(larger);
    capacity_ = more;
  } else {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
}

/// Gives nothing if it did not come in time, 0 at the end of the stream.
task<std::optional<std::size_t>> server_connection::fill_before(time_point deadline) {
  make_room();
  try {
    const auto n = co_await move_on_at(deadline, [&] { return stream_.read_some(room()); });
    end_ += n.value_or(0);
    co_return n;
  } catch (...) {
    broken_ = true;
    throw;
  }
}

/// Reads the stream, as long as a body is waited for.
task<std::size_t> server_connection::read_body_stream(std::span<std::byte> into) {
  const time_point begin = current_time();
  duration limit = options_.body_time;
  if (options_.body_rate != 0) {
    const std::chrono::duration<double> earned(static_cast<double>(body_in_)
                                               / static_cast<double>(options_.body_rate));
    if (earned < std::chrono::hours(24))
      limit = std::min(limit, options_.body_time + std::chrono::duration_cast<duration>(earned)
                                - body_waited_);
  }
  const bool to_buffer = into.empty();
  if (to_buffer) {
    make_room();
    into = room();
  }
  std::optional<std::size_t> n;
  try {
    n = co_await move_on_after(limit, [&] { return stream_.read_some(into); });
  } catch (...) {
    broken_ = true;
    throw;
  }
  body_waited_ += current_time() - begin;
  if (n.value_or(0) == 0)
    bad_body_ = true;
  if (!n)
    throw http_error(408, "the body of the request did not come in time");
  if (*n == 0)
    parser_.end_of_stream(); // throws
  if (to_buffer)
    end_ += *n;
  co_return *n;
}

task<std::size_t> server_connection::read_body(std::span<std::byte> into) {
  if (into.empty())
    throw usage_error("there is no room to read a body into");
  const auto check_limit = [&](std::uint64_t size) {
    if (size <= request_.body_limit_)
      return;
    bad_body_ = true;
    throw http_error(413,
                     "the body is larger than " + std::to_string(request_.body_limit_) + " bytes");
  };
  check_limit(parser_.content_length().value_or(0));
  while (piece_.empty() && !parser_.done()) {
    request_parser::piece found;
    try {
      found = parser_.put_body(unread());
    } catch (...) {
      bad_body_ = true;
      throw;
    }
    begin_ += found.consumed;
    piece_ = found.data;
    if (!piece_.empty() || parser_.done())
      break;
    if (end_ - begin_ >= options_.head_limit) {
      bad_body_ = true;
      throw message_error(400, "a chunk's head, or the trailer, is too long");
    }
    if (std::exchange(expects_continue_, false))
      co_await send_one("HTTP/1.1 100 Continue\r\n\r\n");
    if (parser_.chunked()) {
      static_cast<void>(co_await read_body_stream({}));
      continue;
    }
    const std::size_t wanted =
      static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), parser_.remaining()));
    const std::size_t n = co_await read_body_stream(into.first(wanted));
    static_cast<void>(
      parser_.put_body({reinterpret_cast<const char*>(into.data()), n})); // NOLINT: bytes
    body_in_ += n;
    co_return n;
  }
  const std::size_t n = std::min(piece_.size(), into.size());
  check_limit(body_in_ + n);
  std::copy_n(reinterpret_cast<const std::byte*>(piece_.data()), n, into.data()); // NOLINT: bytes
  piece_.remove_prefix(n);
  body_in_ += n;
  co_return n;
}

std::size_t server_connection::take_buffered(std::span<std::byte> into) noexcept {
  const std::size_t n = std::min(into.size(), end_ - begin_);
  std::copy_n(reinterpret_cast<const std::byte*>(buffer_.get() + begin_), n,
              into.data()); // NOLINT: bytes
  begin_ += n;
  return n;
}

// -- writing --------------------------------------------------------------------------

void server_connection::check_sent(bool in_time) {
  if (in_time)
    return;
  broken_ = true;
  throw http_error(408, "the client does not take the response");
}

task<> server_connection::send_one(std::string_view text) {
  try {
    check_sent(
      co_await move_on_after(options_.write_time, [&] { return stream_.write_all(text); }));
  } catch (...) {
    broken_ = true;
    throw;
  }
  bytes_out_ += text.size();
}

task<> server_connection::send_part(std::span<const std::span<const std::byte>> parts) {
  try {
    check_sent(co_await move_on_after(options_.write_time, [&] {
      return parts.size() == 1 ? stream_.write_all(parts.front()) : stream_.write_all(parts);
    }));
  } catch (...) {
    broken_ = true;
    throw;
  }
  for (const auto& part : parts)
    bytes_out_ += part.size();
}

/// Writes the three as one, a large body in pieces.
task<> server_connection::send(std::string_view head, std::span<const std::byte> body,
                               std::string_view tail) {
  std::array<std::span<const std::byte>, 3> parts;
  do {
    const auto now = body.first(std::min(body.size(), write_piece));
    body = body.subspan(now.size());
    std::size_t count = 0;
    const auto add = [&](std::span<const std::byte> part) {
      if (!part.empty())
        parts.at(count++) = part;
    };
    add(bytes(std::exchange(head, {})));
    add(now);
    if (body.empty())
      add(bytes(tail));
    if (count != 0)
      co_await send_part(std::span(parts).first(count));
  } while (!body.empty());
}

bool server_connection::body_forbidden() const noexcept {
  return request_.method == "HEAD" || response_.status == 204 || response_.status == 304;
}

/// Whether what the handler has left of the request's body is worth reading.
bool server_connection::rest_is_short() const noexcept {
  if (bad_body_)
    return false;
  if (parser_.done())
    return true;
  // a client that waits for "100 Continue" may send the body or not
  return !expects_continue_ && !parser_.chunked() && parser_.remaining() <= short_rest
         && parser_.content_length().value_or(0) <= request_.body_limit_;
}

void server_connection::decide_persistence() noexcept {
  keep_ = keep_ && !response_.close_ && !draining_ && !is_stopping() && request_.keep_alive()
          && rest_is_short() && requests_ < options_.requests_per_connection;
}

/// `length`: of the body; without, it is streamed.
void server_connection::append_response_head(std::optional<std::uint64_t> length) {
  response_.started_ = true;
  append_status_line(out_, response_);
  bool has_type = false;
  bool has_date = false;
  bool has_server = false;
  for (const auto f : response_.headers) {
    if (same_name(f.name, "Content-Length") || same_name(f.name, "Transfer-Encoding"))
      continue;
    if (same_name(f.name, "Connection")) {
      response_.close_ = response_.close_ || same_name(f.value, "close");
      continue;
    }
    has_type = has_type || same_name(f.name, "Content-Type");
    has_date = has_date || same_name(f.name, "Date");
    has_server = has_server || same_name(f.name, "Server");
    out_.append(f.name).append(": ").append(f.value).append("\r\n");
  }
  decide_persistence();
  if (!has_date)
    append_date(out_);
  if (!has_server && !options_.name.empty())
    out_.append("Server: ").append(options_.name).append("\r\n");
  const bool may_have_body = response_.status != 204;
  if (!has_type && may_have_body && response_.status != 304 && length.value_or(1) != 0)
    out_.append("Content-Type: text/plain; charset=utf-8\r\n");
  if (length && may_have_body && (response_.status != 304 || *length != 0)) {
    std::array<char, 24> text{};
    out_.append("Content-Length: ").append(digits(text, *length)).append("\r\n");
  } else if (!length && may_have_body && request_.minor_version == 1) {
    chunked_out_ = true;
    out_.append("Transfer-Encoding: chunked\r\n");
  } else if (!length && may_have_body && request_.method != "HEAD")
    keep_ = false; // the end of the connection is the end of the body
  if (!keep_)
    out_.append("Connection: close\r\n");
  else if (request_.minor_version == 0)
    out_.append("Connection: keep-alive\r\n");
  out_.append("\r\n");
}

/// The response of a handler that has not streamed.
task<> server_connection::write_whole() {
  out_.clear();
  std::uint64_t length = response_.body.size();
  if (body_forbidden() && length == 0) // it may say what GET would have
    if (const auto said = response_.headers.get("Content-Length"))
      std::from_chars(said->data(), said->data() + said->size(), length);
  append_response_head(length);
  if (body_forbidden())
    return send_one(out_);
  if (response_.body.size() > small_body)
    return send(out_, bytes(response_.body), {});
  out_.append(response_.body);
  return send_one(out_);
}

task<> server_connection::write_chunk(std::span<const std::byte> data, bool last) {
  if (!data.empty()) {
    std::array<char, 24> size{};
    out_.append(digits(size, data.size(), 16)).append("\r\n");
  }
  const std::string_view tail = last           ? (data.empty() ? "0\r\n\r\n" : "\r\n0\r\n\r\n")
                                : data.empty() ? ""
                                               : "\r\n";
  co_await send(out_, data, tail);
  out_.clear();
}

task<> server_connection::write_body(std::span<const std::byte> data) {
  out_.clear();
  std::string first;
  if (!response_.started_) {
    check_status(response_.status);
    if (const auto said = response_.headers.get("Content-Length")) {
      std::uint64_t n = 0;
      const auto [end, error] = std::from_chars(said->data(), said->data() + said->size(), n);
      if (error != std::errc() || end != said->data() + said->size())
        throw usage_error("the Content-Length of a response is no number: " + std::string(*said));
      length_ = n;
    }
    append_response_head(length_);
    first = std::move(response_.body);
    response_.body.clear();
    if (!first.empty() && !data.empty()) {
      first.append(reinterpret_cast<const char*>(data.data()), data.size()); // NOLINT: bytes
      data = bytes(first);
    } else if (!first.empty())
      data = bytes(first);
  }
  streamed_ += data.size();
  if (length_ && streamed_ > *length_ && !body_forbidden())
    throw usage_error("a response of " + std::to_string(*length_) + " bytes was given more");
  if (body_forbidden())
    data = {};
  if (data.empty() && out_.empty()) // also for a handler that never stops to answer a HEAD
    co_return co_await checkpoint();
  if (chunked_out_ && !body_forbidden())
    co_await write_chunk(data, false);
  else
    co_await send(out_, data, {});
}

} // namespace troupe::http
