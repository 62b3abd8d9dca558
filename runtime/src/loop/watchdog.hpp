// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/detail/loop.hpp>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace troupe::detail {

/// In debug mode, a step that keeps the loop for this long is reported.
inline constexpr duration slow_step = std::chrono::milliseconds(100);

/// What a loop runs right now, for the watchdog.
class step_record {
public:
  void begin(std::string task) noexcept {
    const std::lock_guard lock(mutex_);
    task_.swap(task);
    began_ = clock::now();
    running_ = true;
  }

  /// Returns how long it has taken.
  duration end() noexcept {
    const std::lock_guard lock(mutex_);
    running_ = false;
    return clock::now() - began_;
  }

  /// The last to begin. On the loop, which alone writes it.
  [[nodiscard]] const std::string& task() const noexcept { return task_; }

  /// Reports a step that takes too long, once. Any thread.
  void look();

private:
  std::mutex mutex_;
  std::string task_;
  time_point began_;
  bool running_ = false; // and not reported yet
};

/// A thread that names tasks while they hold their loops: a loop that is stuck cannot
/// say so itself.
class watchdog {
public:
  explicit watchdog(const std::vector<std::unique_ptr<loop>>& loops);
  ~watchdog();
  watchdog(const watchdog&) = delete;
  watchdog& operator=(const watchdog&) = delete;

private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  const std::vector<std::unique_ptr<loop>>& loops_;
  bool over_ = false;
  std::thread thread_; // last: it runs at once
};

} // namespace troupe::detail
