// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actors/circuit_breaker.hpp>
#include <troupe/exception_group.hpp>
#include <troupe/random.hpp>
#include <troupe/time.hpp>

#include <algorithm>

namespace troupe {

circuit_breaker::circuit_breaker(circuit_breaker_options options) : options_(std::move(options)) {
  const auto& o = options_;
  if ((o.failures == 0 && o.failure_rate <= 0) || o.failure_rate > 1 || o.probes == 0
      || o.open_for < duration::zero() || o.jitter < 0 || o.jitter > 1
      || o.window < duration(window_.size()))
    throw std::invalid_argument("troupe: the options of circuit breaker '" + o.name
                                + "' leave it without sense");
}

circuit_breaker::attempt::attempt(circuit_breaker& b) noexcept
  : breaker_(b), era_(b.era_), probe_(b.state_ == circuit_state::half_open) {
  if (probe_)
    ++b.probing_;
}

circuit_breaker::attempt::~attempt() {
  if (probe_ && era_ == breaker_.era_)
    --breaker_.probing_;
}

void circuit_breaker::attempt::succeeded() {
  ++breaker_.counted_.succeeded;
  if (era_ != breaker_.era_)
    return;
  breaker_.in_a_row_ = 0;
  if (!probe_)
    breaker_.count(false);
  else if (++breaker_.probes_passed_ >= breaker_.options_.probes)
    breaker_.close();
}

void circuit_breaker::attempt::failed(const std::exception_ptr& why) {
  if (breaker_.options_.counts && !breaker_.options_.counts(why))
    return succeeded();
  ++breaker_.counted_.failed;
  breaker_.last_failure_ = describe(why);
  if (era_ != breaker_.era_)
    return;
  ++breaker_.in_a_row_;
  breaker_.count(true);
  if (probe_ || breaker_.too_many())
    breaker_.open();
}

task<> circuit_breaker::ask() {
  const circuit_state now = state();
  if (now == circuit_state::closed
      || (now == circuit_state::half_open && probing_ < options_.probes))
    co_return;
  ++counted_.refused;
  std::string what = "troupe: circuit breaker '" + options_.name + "' is ";
  duration left{};
  if (now == circuit_state::open) {
    left = open_until_ - current_time();
    what += "open for " + std::to_string(std::chrono::duration<double>(left).count()) + " s more";
  } else
    what += "half open, and a probe is under way";
  if (!last_failure_.empty())
    what += "; the last failure: " + last_failure_;
  co_await checkpoint();
  throw circuit_open(what, left);
}

void circuit_breaker::count(bool failed) {
  if (options_.failure_rate <= 0)
    return;
  const auto slots = static_cast<duration::rep>(window_.size());
  const auto number = current_time().time_since_epoch() / (options_.window / slots);
  slot& now = window_[static_cast<std::size_t>(number % slots)];
  if (now.number != number)
    now = {number};
  ++now.calls;
  now.failures += failed ? 1 : 0;
}

bool circuit_breaker::too_many() const {
  if (options_.failures != 0 && in_a_row_ >= options_.failures)
    return true;
  if (options_.failure_rate <= 0)
    return false;
  const auto slots = static_cast<duration::rep>(window_.size());
  const auto number = current_time().time_since_epoch() / (options_.window / slots);
  std::size_t calls = 0, failures = 0;
  for (const slot& s : window_)
    if (s.number > number - slots) {
      calls += s.calls;
      failures += s.failures;
    }
  return calls >= std::max<std::size_t>(options_.least_calls, 1)
         && static_cast<double>(failures) >= options_.failure_rate * static_cast<double>(calls);
}

void circuit_breaker::change(circuit_state to) {
  ++era_;
  probing_ = probes_passed_ = in_a_row_ = 0;
  window_.fill({});
  if (std::exchange(state_, to) != to && options_.on_change)
    options_.on_change(to);
}

void circuit_breaker::open() {
  const double full = static_cast<double>(options_.open_for.count());
  const auto time = static_cast<duration::rep>(full * (1 - options_.jitter * random_fraction()));
  open_until_ = current_time() + duration(time);
  ++counted_.opened;
  change(circuit_state::open);
}

void circuit_breaker::close() { change(circuit_state::closed); }

circuit_state circuit_breaker::state() {
  if (state_ == circuit_state::open && current_time() >= open_until_)
    change(circuit_state::half_open);
  return state_;
}

} // namespace troupe
