// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actors/rate_limiter.hpp>
#include <troupe/answer.hpp>
#include <troupe/time.hpp>

#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace troupe {

namespace {

constexpr std::int64_t longest = std::numeric_limits<std::int64_t>::max() / 4;

std::int64_t positive(std::uint64_t n, const rate_limiter_options& options, const char* what) {
  if (n == 0 || n > static_cast<std::uint64_t>(longest))
    throw std::invalid_argument("troupe: the " + std::string(what) + " of '" + options.name
                                + "' is out of range");
  return static_cast<std::int64_t>(n);
}

} // namespace

rate_limiter::rate_limiter(rate_limiter_options options)
  : options_(std::move(options)), rate_(positive(options_.rate, options_, "rate")),
    period_(positive(
      options_.period.count() > 0 ? static_cast<std::uint64_t>(options_.period.count()) : 0,
      options_, "period")) {
  if (options_.burst == 0)
    options_.burst = options_.rate;
  const std::int64_t common = std::gcd(rate_, period_);
  rate_ /= common;
  period_ /= common;
  const std::int64_t burst = positive(options_.burst, options_, "burst");
  if (burst > longest / period_)
    throw std::invalid_argument("troupe: the burst of '" + options_.name + "' is out of range");
  full_ = units_ = burst * period_;
}

void rate_limiter::check(std::size_t n) const {
  if (n > options_.burst)
    throw std::invalid_argument("troupe: '" + options_.name + "' never has " + std::to_string(n)
                                + " tokens, but " + std::to_string(options_.burst) + " at most");
}

void rate_limiter::fill(time_point now) noexcept {
  const std::int64_t missing = full_ - units_;
  const std::int64_t passed = (now - filled_).count();
  units_ = passed > missing / rate_ ? full_ : units_ + passed * rate_;
  filled_ = now;
}

bool rate_limiter::take(std::size_t n) noexcept {
  fill(current_time());
  const std::int64_t cost = static_cast<std::int64_t>(n) * period_;
  if (cost > units_)
    return false;
  units_ -= cost;
  return true;
}

task<> rate_limiter::acquire(std::size_t n) {
  check(n);
  const auto turn = co_await turns_.lock();
  while (!take(n)) {
    const std::int64_t missing = static_cast<std::int64_t>(n) * period_ - units_;
    co_await sleep_for(duration((missing + rate_ - 1) / rate_));
  }
}

bool rate_limiter::try_acquire(std::size_t n) {
  check(n);
  const auto turn = turns_.try_lock();
  return turn && take(n);
}

task<> rate_limiter::serve(mailbox& in) {
  co_await in.serve([this](take_tokens wanted) {
    return as_answer(acquire(static_cast<std::size_t>(wanted.count)));
  });
}

} // namespace troupe
