// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actors/periodic.hpp>
#include <troupe/cancel_scope.hpp>
#include <troupe/exception_group.hpp>
#include <troupe/nursery.hpp>
#include <troupe/random.hpp>
#include <troupe/time.hpp>

#include <cstdio>
#include <stdexcept>
#include <utility>

namespace troupe {

namespace {

/// When the next run is due, jitter left out.
class timetable {
public:
  explicit timetable(const periodic_options& options)
    : options_(options), next_(current_time() + options.first) {}

  [[nodiscard]] time_point next() const noexcept { return next_; }

  /// A run has just ended.
  void advance() noexcept {
    const time_point now = current_time();
    const time_point from = options_.between == period::end_to_start ? now : next_;
    next_ = deadline_after(from, options_.interval);
    if (next_ < now && options_.missed == missed_times::skip)
      next_ +=
        (now - next_ + options_.interval - duration(1)) / options_.interval * options_.interval;
  }

private:
  const periodic_options& options_;
  time_point next_;
};

/// Returns false if it was asked to stop.
task<bool> wait_for_turn(const periodic_options& options, time_point when) {
  const auto late = static_cast<duration::rep>(static_cast<double>(options.interval.count())
                                               * options.jitter * random_fraction());
  const time_point until = deadline_after(when, duration(late));
  const bool stop = co_await move_on_at(until, []() -> task<> { co_await stopping(); });
  co_return !stop && !is_stopping();
}

void bear(const periodic_options& options, const std::exception_ptr& error) {
  if (options.on_failure)
    options.on_failure(error);
  else
    std::fprintf(stderr, "troupe: '%s' has failed: %s\n", options.name.c_str(),
                 describe(error).c_str());
}

task<> run(periodic_options options, awaited_function<task<>()> job) {
  if (options.interval <= duration::zero() || options.first < duration::zero() || options.jitter < 0
      || options.jitter > 1)
    throw std::invalid_argument("troupe: the times of '" + options.name + "' are out of range");
  timetable times(options);
  std::size_t failed = 0; // in a row
  for (std::size_t done = 0; options.runs == 0 || done < options.runs; ++done) {
    const bool go_on = co_await wait_for_turn(options, times.next());
    if (!go_on)
      co_return;
    try {
      co_await job();
      failed = 0;
    } catch (...) {
      if (options.failures != static_cast<std::size_t>(-1) && ++failed > options.failures)
        throw;
      bear(options, std::current_exception());
    }
    times.advance();
  }
}

} // namespace

task<> run_periodically(const periodic_options& options, awaited_function<task<>()> job) {
  return run(options, std::move(job));
}

} // namespace troupe
