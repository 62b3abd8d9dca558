// SPDX-License-Identifier: BSD-3-Clause
// What waits for the transport: a step that wants more, flushing, closing.
#include "tls_state.hpp"

#include <troupe/cancel_scope.hpp>

#include <array>
#include <chrono>
#include <memory>

namespace troupe::detail {

namespace {

using namespace std::chrono_literals;

/// How long a peer that reads nothing may keep us from saying what is wrong.
constexpr duration alert_limit = 1s;

/// How much is asked of the transport at once where there is no buffer of the user's.
constexpr std::size_t piece = 4096;

} // namespace

task<> tls_state::more() {
  if (filling_) {
    tls_progress wait(*this);
    co_await wait;
    co_return;
  }
  const auto place = std::make_unique_for_overwrite<std::byte[]>(piece); // not held when idle
  std::size_t n = 0;
  {
    const tls_filling turn(*this);
    n = co_await transport_->read_some(std::span(place.get(), piece));
  }
  landed(std::span(place.get(), n));
  keep_fresh();
}

task<> tls_state::flush() {
  while (!out_.empty()) {
    tls_flushing turn(*this);
    try {
      co_await transport_->write_all(turn.bytes());
    } catch (...) {
      turn.failed();
      throw;
    }
    turn.done();
  }
}

task<> tls_state::flush_alert() {
  if (out_.empty() || cut_off_ || write_failure_ || closing())
    co_return;
  co_await move_on_after(alert_limit, [this]() -> task<> {
    try {
      co_await flush();
    } catch (const std::exception&) { // NOLINT(bugprone-empty-catch): a failure is under way
    }
  });
}

task<> tls_state::say_goodbye() {
  if (failure_ || write_failure_ || cut_off_ || writing)
    co_return;
  const tls_busy mark(writing);
  if (!has_ended() && shut_down() != step::done)
    co_return;
  co_await flush();
  if (shutdown_limit_ <= duration::zero())
    co_return;
  std::array<std::byte, 1024> dropped;
  bool look = true; // at what has come already
  for (;;) {
    std::size_t n = 0;
    switch (look ? read(dropped, n) : step::wants_more) {
    case step::done: {
      tls_pass pass;
      co_await pass;
      break;
    }
    case step::wants_more: co_await more(); break;
    default: co_return;
    }
    look = true;
    if (failure_)
      co_return;
  }
}

task<> tls_state::close() {
  while (closing_ && !closed_) { // in another task
    tls_progress wait(*this);
    co_await wait;
  }
  if (closed_) {
    tls_pass pass;
    co_await pass;
    co_return;
  }
  struct closer {
    tls_state& s;
    explicit closer(tls_state& of) noexcept : s(of) { s.closing_ = true; }
    closer(const closer&) = delete;
    closer& operator=(const closer&) = delete;
    ~closer() {
      s.closing_ = false;
      if (!s.closed_)
        s.drop();
    }
  } const always(*this);
  const duration limit =
    shutdown_limit_ > duration::zero() ? shutdown_limit_ : default_tls_shutdown_limit;
  try {
    co_await move_on_after(limit, [this] { return say_goodbye(); });
  } catch (const net_error&) { // NOLINT(bugprone-empty-catch): it is over either way
  }
  if (closed_)
    co_return; // aborted meanwhile
  try {
    co_await transport_->close();
  } catch (const net_error&) { // NOLINT(bugprone-empty-catch)
  }
  closed_ = true;
  progress();
}

} // namespace troupe::detail
