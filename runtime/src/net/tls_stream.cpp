// SPDX-License-Identifier: BSD-3-Clause
#include "tls_state.hpp"

#include <troupe/error.hpp>

#include <algorithm>
#include <cerrno>

namespace troupe {

namespace {

using namespace detail;

/// Where ciphertext may land in the reader's own buffer. In a smaller one, a record
/// would take too many reads.
constexpr std::size_t enough_room = 256;

/// What is encrypted before it is written.
constexpr std::size_t write_piece = 65536;

tls_state& usable(tls_state* s, const char* what) {
  if (!s)
    throw usage_error(std::string("troupe: ") + what + ": the stream was moved from");
  s->check_loop(what);
  return *s;
}

void check_alone(bool busy, const char* what) {
  if (busy)
    throw usage_error(std::string("troupe: ") + what
                      + ": another task is at it already, on the same stream");
}

} // namespace

tls_stream::tls_stream(detail::tls_state& state) noexcept : state_(&state) {
  intrusive_ptr_add_ref(state_);
}

tls_stream::~tls_stream() {
  if (state_) {
    state_->drop();
    intrusive_ptr_release(state_);
  }
}

task<std::size_t> tls_stream::read_some(std::span<std::byte> into) {
  const tls_state_ptr s(&usable(state_, "read_some"));
  check_alone(s->reading, "read_some");
  if (into.empty())
    throw usage_error("troupe: read_some: there must be room for a byte");
  s->check_readable();
  const tls_busy mark(s->reading);
  bool look = s->anything_buffered() || s->peer_has_ended() || s->failure();
  if (look) {
    tls_pass pass;
    co_await pass;
  }
  for (;;) {
    s->check_readable();
    if (look) {
      std::size_t count = 0;
      const auto result = s->failure() ? tls_state::step::failed : s->read(into, count);
      if (result == tls_state::step::done)
        co_return count;
      if (result == tls_state::step::ended)
        co_return 0;
      if (result == tls_state::step::failed) {
        if (s->to_flush() != 0 && !s->writing) {
          const tls_busy alone(s->writing);
          co_await s->flush_alert();
        }
        std::rethrow_exception(s->failure());
      }
    }
    look = true;
    if (into.size() < enough_room || s->filling()) {
      co_await s->more();
      continue;
    }
    std::size_t n = 0;
    {
      const tls_filling turn(*s);
      n = co_await s->transport().read_some(into);
    }
    s->landed(into.first(n));
    if (s->closing())
      s->keep_fresh(); // for the task that closes
  }
}

task<> tls_stream::write_all(std::span<const std::byte> data) {
  const tls_state_ptr s(&usable(state_, "write_all"));
  check_alone(s->writing, "write_all");
  s->check_writable("write_all");
  const tls_busy mark(s->writing);
  {
    tls_pass pass;
    co_await pass;
  }
  while (!data.empty()) {
    s->check_writable("write_all");
    const auto part = data.first(std::min(data.size(), write_piece));
    switch (s->write(part)) {
    case tls_state::step::done: data = data.subspan(part.size()); break;
    case tls_state::step::wants_more: co_await s->more(); continue;
    default: co_await s->flush_alert(); std::rethrow_exception(s->failure());
    }
    do { // as `flush` does, without a frame of its own
      tls_flushing turn(*s);
      try {
        co_await s->transport().write_all(turn.bytes());
      } catch (...) {
        turn.failed();
        throw;
      }
      turn.done();
    } while (s->to_flush() != 0);
  }
}

task<> tls_stream::write_all(std::span<const std::span<const std::byte>> parts) {
  const tls_state_ptr s(&usable(state_, "write_all"));
  check_alone(s->writing, "write_all");
  s->check_writable("write_all");
  const tls_busy mark(s->writing);
  {
    tls_pass pass;
    co_await pass;
  }
  for (auto data : parts)
    while (!data.empty()) {
      s->check_writable("write_all");
      const auto part = data.first(std::min(data.size(), write_piece));
      switch (s->write(part)) {
      case tls_state::step::done: data = data.subspan(part.size()); break;
      case tls_state::step::wants_more: co_await s->more(); continue;
      default: co_await s->flush_alert(); std::rethrow_exception(s->failure());
      }
      if (s->to_flush() >= write_piece)
        co_await s->flush();
    }
  co_await s->flush();
}

task<> tls_stream::send_eof() {
  const tls_state_ptr s(&usable(state_, "send_eof"));
  check_alone(s->writing, "send_eof");
  if (s->has_ended() && !s->closing()) {
    tls_pass pass;
    co_await pass;
    co_return;
  }
  s->check_writable("send_eof");
  const tls_busy mark(s->writing);
  {
    tls_pass pass;
    co_await pass;
  }
  s->check_writable("send_eof");
  for (;;) {
    const auto result = s->shut_down();
    if (result == tls_state::step::done)
      break;
    if (result != tls_state::step::wants_more)
      s->check_writable("send_eof"); // throws
    co_await s->more();
    s->check_writable("send_eof");
  }
  co_await s->flush();
}

task<> tls_stream::close() {
  if (!state_)
    co_return;
  const tls_state_ptr s(&usable(state_, "close"));
  co_await s->close();
}

void tls_stream::abort() noexcept {
  if (state_)
    state_->abort();
}

std::string tls_stream::peer() const { return state_ ? state_->peer() : "closed"; }

std::string tls_stream::local() const { return state_ ? state_->local() : "closed"; }

stream_statistics tls_stream::statistics() const {
  return state_ ? state_->statistics() : stream_statistics();
}

} // namespace troupe
