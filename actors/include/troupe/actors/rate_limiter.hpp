// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/mailbox.hpp>
#include <troupe/messages.hpp>
#include <troupe/mutex.hpp>
#include <troupe/task.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace troupe {

/// How often something may happen.
struct rate_limiter_options {
  std::string name = "rate limiter";         ///< for messages
  std::size_t rate = 10;                     ///< so many tokens come, one after the other,
  duration period = std::chrono::seconds(1); ///< within this time
  std::size_t burst = 0;                     ///< so many are kept for later; 0: as many as `rate`
};

/// To an actor that runs `rate_limiter::serve`: a request that is answered, with nothing, when the
/// asker may go on.
struct take_tokens {
  std::uint64_t count = 1;
};

/// A token bucket: tokens drop in at an even rate, up to `burst`, and who wants to do something
/// takes one, or several for something bigger. Over any time there are never more than `burst` and
/// what the rate gives in it.
///
///     rate_limiter limit({.rate = 5, .burst = 20}); // 20 lines at once, then 5 in a second
///     while (auto line = co_await in.read_line()) {
///       co_await limit.acquire();
///       co_await say(*line);
///     }
///
/// First come, first served; it begins full. `acquire` is for tasks of any loop.
class rate_limiter {
public:
  /// Throws `std::invalid_argument` if the rate or the period is not above 0.
  explicit rate_limiter(rate_limiter_options options);

  /// Waits for its turn and for `n` tokens, and takes them. Throws `std::invalid_argument` if that
  /// is more than `burst`. A checkpoint; cancelled, it has taken none, and who waits behind it is
  /// next.
  [[nodiscard]] task<> acquire(std::size_t n = 1);

  /// Takes `n` tokens if they are there and nobody waits. Not a checkpoint. Throws
  /// `std::invalid_argument` as `acquire`, `usage_error` on another loop than its own.
  [[nodiscard]] bool try_acquire(std::size_t n = 1);

  /// Makes an actor of it: answers `take_tokens`, one after the other. A checkpoint.
  [[nodiscard]] task<> serve(mailbox& in);

  [[nodiscard]] const rate_limiter_options& options() const noexcept { return options_; }

private:
  void check(std::size_t n) const;
  void fill(time_point now) noexcept;
  bool take(std::size_t n) noexcept;

  // Integers, so that nothing is lost by rounding: a token is worth `period_` units, of which
  // `rate_` come in a nanosecond.
  rate_limiter_options options_;
  std::int64_t rate_;
  std::int64_t period_;
  std::int64_t full_;
  std::int64_t units_;
  time_point filled_{};
  mutex turns_; // who has it waits for tokens; guards `units_` and `filled_`
};

} // namespace troupe

TROUPE_MESSAGES(troupe_rate_limiter, 60100, troupe::take_tokens)
