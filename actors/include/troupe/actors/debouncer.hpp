// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/awaited_function.hpp>
#include <troupe/clock.hpp>
#include <troupe/event.hpp>
#include <troupe/mailbox.hpp>
#include <troupe/task.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace troupe {

/// When a debounced job runs.
struct debouncer_options {
  std::string name = "debounced job";              ///< for messages
  duration quiet = std::chrono::milliseconds(100); ///< nothing has triggered it for so long
  duration max_wait = duration::max();             ///< but no trigger waits for longer than this
  bool leading = false;                            ///< the first trigger of a burst runs it at once
  bool trailing = true;                            ///< triggers after that run it when it is quiet
};

/// Runs a job once for many triggers that come in a burst: when it has been quiet for a while.
///
///     debouncer saving({.quiet = 500ms, .max_wait = 5s});
///     n.start_service(named("saving", [&] { return saving.run(save_settings); }));
///     ...
///     settings.volume = 7;
///     saving.trigger();
///
/// A trigger is never lost: one that comes while the job runs is for another run. What a nursery
/// that ends, or is cancelled, leaves undone is, so `flush` before that; a soft stop is a flush,
/// and the end: what is triggered after it waits for another `run`. For one loop.
class debouncer {
public:
  /// Throws `std::invalid_argument` if it would never run.
  explicit debouncer(debouncer_options options);
  debouncer(const debouncer&) = delete;
  debouncer& operator=(const debouncer&) = delete;

  /// Runs `job()`, a coroutine, when it is to be, one run at a time, until cancelled or asked to
  /// stop (`nursery::stop`). Throws what the job throws, `usage_error` if it runs already. A
  /// checkpoint.
  [[nodiscard]] task<> run(awaited_function<task<>()> job);

  /// There is something to do. Not a checkpoint.
  void trigger();

  /// Forgets the triggers that have not led to a run. Not a checkpoint.
  void drop() noexcept { pending_ = false; }

  /// Whether there are such.
  [[nodiscard]] bool pending() const noexcept { return pending_; }

  /// Has the job run now if there is something to do, and waits until it has, and until a run that
  /// has begun is over. For ever, if nobody calls `run`. A checkpoint.
  [[nodiscard]] task<> flush();

  /// Makes an actor of it: any message is a trigger. A checkpoint.
  [[nodiscard]] task<> serve(mailbox& in);

private:
  task<> work(awaited_function<task<>()> job);
  task<> run_once(const awaited_function<task<>()>& job);
  [[nodiscard]] time_point due() const noexcept;
  void wake() noexcept;

  debouncer_options options_;
  time_point first_{}; // of the triggers that wait
  time_point last_{};
  bool pending_ = false;
  bool in_burst_ = false;
  bool running_ = false; // `run` is
  bool busy_ = false;    // the job is
  bool at_once_ = false; // flush
  bool stop_ = false;
  std::optional<event> change_; // for `run`
  std::shared_ptr<event> rest_; // for `flush`, which holds it, too
};

} // namespace troupe
