// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/awaited_function.hpp>
#include <troupe/clock.hpp>
#include <troupe/task.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <string>

namespace troupe {

/// What the interval of a periodic job lies between.
enum class period {
  start_to_start, ///< fixed rate: the job's own time does not count
  end_to_start,   ///< fixed delay: there is a pause between two runs
};

/// At a fixed rate, what becomes of the times that have passed while the job ran.
enum class missed_times {
  skip,     ///< the next run is at the next time of the grid
  catch_up, ///< they are made up for, one after the other without a pause
};

/// When a job runs. Give a variable: g++ 12 destroys braced temporaries in an await twice.
struct periodic_options {
  std::string name = "periodic job";           ///< for messages
  duration interval = std::chrono::seconds(1); ///< between two runs,
  period between = period::start_to_start;     ///< from when to when
  missed_times missed = missed_times::skip;    ///< see there
  duration first = duration::zero();           ///< the first run is after this time
  double jitter = 0;                           ///< each run is later by a random part of the
                                               ///< interval, at most this; times do not drift
  std::size_t runs = 0;                        ///< so many, then it returns; 0: no limit
  std::size_t failures = 0;                    ///< so many in a row are borne; the next one is
                                               ///< thrown. `std::size_t(-1)`: all

  /// Hears of the failures that are borne; must not throw. By default, they go to stderr.
  std::function<void(const std::exception_ptr&)> on_failure = {};
};

/// Calls `job()`, a coroutine, again and again. Two runs never overlap. Returns after
/// `options.runs`, and when a nursery around it is asked to stop (`nursery::stop`): a run that has
/// begun ends by itself.
///
///     periodic_options every_hour;
///     every_hour.interval = 1h;
///     every_hour.jitter = 0.1; // not all servers at the same time
///     n.start_soon([&]() -> task<> { co_await run_periodically(every_hour, clean_up); });
///
/// Throws the failure of a job that is not borne, `std::invalid_argument`. A checkpoint.
[[nodiscard]] task<> run_periodically(const periodic_options& options,
                                      awaited_function<task<>()> job);

} // namespace troupe
