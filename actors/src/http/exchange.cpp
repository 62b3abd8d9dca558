// SPDX-License-Identifier: BSD-3-Clause
#include "exchange.hpp"

#include "client_core.hpp"
#include "limit_text.hpp"

#include <troupe/error.hpp>
#include <troupe/http/client_error.hpp>
#include <troupe/net_error.hpp>
#include <troupe/time.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <limits>
#include <utility>

namespace troupe::http::client {

namespace {

constexpr std::size_t drain_at_most = 65536;
constexpr duration drain_time = std::chrono::seconds(1);
constexpr std::size_t most_headers = 500;
constexpr std::size_t large = 4096; // for which the buffer is a detour

} // namespace

exchange::exchange(core& session, const client_request& what, time_point deadline)
  : session_(&session), request_(what.method + ' ' + what.url.text()), url_(what.url),
    parser_(message_limits{session.options().max_head, 0, most_headers}),
    max_body_(session.options().max_body), deadline_(deadline),
    total_limit_(what.total_limit.value_or(session.options().timeouts.total)),
    read_limit_(what.read_limit.value_or(session.options().timeouts.read)),
    to_head_(what.method == "HEAD") {
  place_ = session.exchanges_.insert(session.exchanges_.end(), this);
}

exchange::~exchange() {
  if (connection_ && head_done_ && !error_)
    try {                                   // what is left may be there already
      std::array<std::byte, large> scratch; // NOLINT: written before it is read
      while (connection_ && take(**connection_->operator->(), scratch) != 0) {
      }
    } catch (...) { // NOLINT(bugprone-empty-catch): closed
    }
  close();
  if (session_)
    session_->exchanges_.erase(place_);
}

void exchange::orphan() noexcept {
  close();
  session_ = nullptr;
}

/// All of the response was read: the connection goes back if it can be used again.
void exchange::end() noexcept {
  if (!connection_)
    return;
  if (!(**connection_)->buffered().empty()) // nobody has asked for that
    connection_->discard();
  else if (!keep_)
    connection_->retire();
  connection_.reset();
}

void exchange::close() noexcept {
  if (!connection_)
    return;
  connection_->discard();
  connection_.reset();
}

std::size_t exchange::take(connection& from, std::span<std::byte> into) {
  std::size_t taken = 0;
  for (;;) {
    if (const std::size_t n = std::min(pending_, into.size() - taken); n != 0) {
      std::memcpy(into.data() + taken, from.buffered().data(), n);
      from.consume(n);
      pending_ -= n;
      taken += n;
    }
    if (pending_ != 0 || parser_.done() || from.buffered().empty())
      break;
    const auto piece = parser_.put_body(from.buffered());
    from.consume(piece.consumed - piece.data.size());
    pending_ = piece.data.size();
    if (pending_ == 0 && !parser_.done())
      break; // it needs more
  }
  received_ += taken;
  if (finished())
    end();
  return taken;
}

task<std::size_t> exchange::read_more(connection& from, std::span<std::byte> into) {
  if (parser_.content_length() && into.size() >= large && from.buffered().empty()) {
    const auto left = std::min<std::uint64_t>(parser_.remaining(), into.size());
    const auto direct = into.first(static_cast<std::size_t>(left));
    const std::size_t n = co_await from.transport().read_some(direct);
    static_cast<void>(
      parser_.put_body(std::string_view(reinterpret_cast<const char*>(direct.data()), n)));
    received_ += n;
    co_return n;
  }
  co_return co_await from.fill();
}

task<std::size_t> exchange::read_part(std::span<std::byte> into) {
  for (;;) {
    connection& from = ***connection_;
    if (const std::size_t n = take(from, into); n != 0 || finished())
      co_return n;
    const std::uint64_t before = received_;
    const auto read = [&]() { return read_more(from, into); };
    const time_point silent_until = end_of_limit(read_limit_);
    const time_point until = std::min(deadline_, silent_until);
    std::optional<std::size_t> n;
    if (until == time_point::max())
      n = co_await read();
    else
      n = co_await move_on_at(until, read);
    if (!n && until == deadline_)
      throw timeout_error(request_ + ": not done within " + limit_text(total_limit_));
    if (!n)
      throw timeout_error(request_ + ": nothing has come for " + limit_text(read_limit_));
    if (received_ != before) {
      if (finished())
        end();
      co_return static_cast<std::size_t>(received_ - before);
    }
    if (*n == 0) {
      if (parser_.content_length() || parser_.chunked())
        throw incomplete_response(request_, received_, parser_.content_length());
      parser_.end_of_stream();
      end();
      co_return 0;
    }
  }
}

task<std::size_t> exchange::read_some(std::span<std::byte> into) {
  if (into.empty())
    throw usage_error("troupe: http::client_response::read_some has no room to read into");
  if (error_)
    std::rethrow_exception(error_);
  if (finished())
    co_return 0;
  if (!connection_)
    throw usage_error("troupe: the session of " + request_ + " has ended");
  try {
    co_return co_await read_part(into);
  } catch (const message_error& e) {
    error_ =
      std::make_exception_ptr(bad_response(request_, "the body of the response: " + e.details()));
  } catch (...) {
    error_ = std::current_exception();
  }
  close();
  std::rethrow_exception(error_);
}

task<std::string> exchange::read_all(std::size_t at_most) {
  const auto length = parser_.content_length();
  if (length && !finished() && *length - received_ > at_most)
    throw body_too_large(request_, at_most);
  std::string all;
  std::size_t size = 0;
  while (!finished() || error_) {
    if (size == all.size()) {
      const std::size_t room =
        length ? static_cast<std::size_t>(*length - received_) : std::max<std::size_t>(16384, size);
      all.resize(size + std::min(std::max<std::size_t>(room, 1), at_most - size + 1));
    }
    const std::size_t n = co_await read_some(std::as_writable_bytes(std::span(all).subspan(size)));
    size += n;
    if (size > at_most)
      throw body_too_large(request_, at_most);
  }
  all.resize(size);
  co_return all;
}

task<> exchange::drain() {
  const auto length = parser_.content_length();
  if (finished() || !keep_ || (length && *length > drain_at_most))
    co_return close();
  std::vector<std::byte> scratch(drain_at_most);
  try {
    co_await move_on_after(drain_time, [&]() -> task<> {
      std::size_t left = drain_at_most;
      while (!finished() && left != 0)
        left -= co_await read_some(std::span(scratch).first(left));
    });
  } catch (const std::runtime_error&) { // NOLINT(bugprone-empty-catch): closed
  }
  close();
}

} // namespace troupe::http::client
