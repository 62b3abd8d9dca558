// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/testing/faults.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::testing {

/// Fault plans for real runs, each with a name, that are switched on and off while the program
/// runs: to see what it makes of a disk that is full, or of a lost message. The same faults as
/// in a simulation, but for those of nodes; also of TCP, UDP and Unix sockets, and what goes over
/// them.
///
///     live_faults trouble;
///     trouble.add("disk full", {file_fails("*.log", when::at(1), std::errc::no_space_on_device)});
///     trouble.on("disk full");
///
/// Off at first. What is off costs nothing but the look at one number, where messages arrive,
/// tasks begin, files are used and sockets are read or written; tasks that it has watched come to
/// one more checkpoint before they forget it. It concerns all real runs of the process, and none
/// that is simulated.
///
/// All members may be called by any thread, but not from `log`. The object may end before the
/// runs: its plans are off then.
class live_faults {
public:
  /// `seed` is that of all chances; 0: another one each time. `log` hears of each fault that
  /// strikes, on the thread where it does, and must not block.
  explicit live_faults(std::uint64_t seed = 0, std::function<void(const std::string&)> log = {});
  live_faults(const live_faults&) = delete;
  live_faults& operator=(const live_faults&) = delete;
  ~live_faults();

  /// Adds a plan, which is off. Throws `usage_error` if it is impossible, or if there is one of
  /// that name.
  void add(std::string name, std::vector<fault> plan);

  /// Switches a plan on: tasks that run already hear of it when their loop next looks at its
  /// messages. All is counted from here on. Throws `usage_error` if there is no such plan.
  void on(std::string_view name);

  /// Switches it off; what it has held up comes when it would have. Throws `usage_error` if
  /// there is no such plan.
  void off(std::string_view name);

  /// Throws `usage_error` if there is no such plan.
  [[nodiscard]] bool is_on(std::string_view name) const;

  /// The names of the plans, in order.
  [[nodiscard]] std::vector<std::string> names() const;

  /// What the plan names and what has not been there yet; empty if all was. Throws
  /// `usage_error` if there is no such plan.
  [[nodiscard]] std::string unmatched(std::string_view name) const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace troupe::testing
