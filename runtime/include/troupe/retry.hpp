// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/detail/safe_to_await.hpp>
#include <troupe/stream.hpp>
#include <troupe/task.hpp>
#include <troupe/time.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace troupe {

/// Whether trying again may help: the other side was not there, did not answer, or has gone
/// (`connection_refused`, `connection_reset`, `connection_aborted`, `connection_timeout`,
/// `broken_pipe`, `end_of_stream`, `host_unreachable`, `name_not_found`, `timeout_error`), or
/// several such together, as an `exception_group`. Not so for mistakes, wrong addresses,
/// and certificates that are not trusted.
[[nodiscard]] bool is_transient(const std::exception_ptr& error) noexcept;

/// How often something is tried again, and after what time: a value.
struct retry_policy {
  duration first_delay = std::chrono::milliseconds(100);
  double factor = 2;                               ///< each delay is so much longer
  duration max_delay = std::chrono::seconds(30);   ///< but no longer than this
  double jitter = 0.5;                             ///< a random part of the delay is left out,
                                                   ///< at most this fraction of it
  std::size_t attempts = 10;                       ///< in all; 0: no limit
  duration reset_after = std::chrono::seconds(60); ///< what has worked for so long begins anew

  /// Which failures are retried.
  std::function<bool(const std::exception_ptr&)> retries = is_transient;

  /// Hears of each failure that is retried, and when that will be. Must not throw.
  std::function<void(const std::exception_ptr& why, duration next_try)> on_retry = {};
};

/// The delays of a policy, one after the other.
class backoff {
public:
  explicit backoff(const retry_policy& policy) noexcept : policy_(&policy) {}

  /// How long to wait before the next attempt; nothing if there has been the last one.
  [[nodiscard]] std::optional<duration> next();

  /// It has worked: the delays begin anew.
  void reset() noexcept { failures_ = 0; }

  /// Attempts that have failed since then.
  [[nodiscard]] std::size_t failures() const noexcept { return failures_; }

private:
  const retry_policy* policy_;
  std::size_t failures_ = 0;
};

/// Calls `fn()`, a coroutine, until it succeeds, and gives its value. Throws its failure when
/// that is not one to be retried, or after the last attempt. A checkpoint where `fn` is one,
/// and between two attempts.
template <class F>
[[nodiscard]] auto retry(retry_policy policy, F&& fn);

/// Stays connected: runs `session(stream)` on what `connect()` gives, both coroutines, and
/// connects again when either fails in a way that is to be retried. Returns when the session
/// does.
///
///     co_await stay_connected(policy, [] { return open_tcp_stream("example.org", 9011); },
///                             [](tcp_stream& s) -> task<> { co_await talk(s); });
///
/// A session that ends because its peer has closed may throw `end_of_stream` to be connected
/// again. Half-open connections are found by a `heartbeat` in the session. The limit of
/// attempts counts those in a row; one whose session has lasted for `reset_after` begins the
/// count anew. Throws what is not retried. A checkpoint between two attempts.
template <class Connect, class Session>
[[nodiscard]] task<> stay_connected(retry_policy policy, Connect&& connect, Session&& session);

/// How a heartbeat beats.
struct heartbeat_options {
  duration interval = std::chrono::seconds(15); ///< silent for so long, the peer is asked
  duration limit = std::chrono::seconds(45);    ///< silent for so long, it is taken for dead
};

/// Watches `of`, whose reads another task does, until cancelled: calls `ping()`, a coroutine
/// that has the peer answer something, when nothing was read for `interval`, and throws
/// `connection_timeout` when nothing was read for `limit`: that of a connection that is only
/// open on this side. For a service task of the session's nursery. A checkpoint.
[[nodiscard]] task<> heartbeat(stream& of, heartbeat_options options,
                               detail::awaited_function<task<>()> ping);

// -- implementation -----------------------------------------------------------------

namespace detail {

/// What became of an attempt: waits before the next one, or throws.
task<> wait_after(std::exception_ptr why, backoff& delays, const retry_policy& policy);

template <class F>
task<typename std::invoke_result_t<F&>::value_type> run_retry(retry_policy policy, F fn) {
  backoff delays(policy);
  for (;;) {
    std::exception_ptr why;
    try {
      co_return co_await std::invoke(fn);
    } catch (...) {
      why = std::current_exception();
    }
    co_await wait_after(std::move(why), delays, policy);
  }
}

template <class Connect, class Session>
task<> run_stay_connected(retry_policy policy, Connect connect, Session session) {
  backoff delays(policy);
  for (;;) {
    std::exception_ptr why;
    time_point connected = time_point::max();
    try {
      auto s = co_await std::invoke(connect);
      connected = current_time();
      co_await std::invoke(session, s);
      co_return;
    } catch (...) {
      why = std::current_exception();
    }
    if (connected != time_point::max() && current_time() - connected >= policy.reset_after)
      delays.reset();
    co_await wait_after(std::move(why), delays, policy);
  }
}

} // namespace detail

template <class F>
auto retry(retry_policy policy, F&& fn) {
  detail::check_awaited_arguments<F>();
  return detail::run_retry<std::decay_t<F>>(std::move(policy), std::forward<F>(fn));
}

template <class Connect, class Session>
task<> stay_connected(retry_policy policy, Connect&& connect, Session&& session) {
  detail::check_awaited_arguments<Connect, Session>();
  return detail::run_stay_connected<std::decay_t<Connect>, std::decay_t<Session>>(
    std::move(policy), std::forward<Connect>(connect), std::forward<Session>(session));
}

} // namespace troupe
