// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>

#include <cstdint>
#include <exception>
#include <limits>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace troupe::testing {

/// At which of its checkpoints something happens to a task.
struct when {
  std::uint64_t nth = 0; ///< this one, counted from 1 for each task; 0: see `chance`
  double chance = 0;     ///< each with this probability, drawn from the seed
  std::uint64_t most = std::numeric_limits<std::uint64_t>::max(); ///< times in one run

  [[nodiscard]] static when at(std::uint64_t n) { return {n, 0}; }
  [[nodiscard]] static when sometimes(double chance) { return {0, chance}; }
};

/// Something that goes wrong under simulation: see `simulation_options::faults`.
class fault {
public:
  struct failing {
    std::exception_ptr error;
  };
  struct cancelling {};
  struct stalling {
    duration time;
  };

  /// What `tasks` names: the names of tasks, `*` stands for anything.
  std::string tasks;
  when at;
  std::variant<failing, cancelling, stalling> what;
};

/// The await throws a copy of `error`.
template <class Error>
[[nodiscard]] fault fails(std::string tasks, when at, Error error) {
  return {std::move(tasks), at, fault::failing{std::make_exception_ptr(std::move(error))}};
}

/// The task is cancelled: the await does not come back.
[[nodiscard]] inline fault is_cancelled_at(std::string tasks, when at) {
  return {std::move(tasks), at, fault::cancelling{}};
}

/// The task does not go on for so long, even if what it waits for has happened.
[[nodiscard]] inline fault stalls(std::string tasks, when at, duration time) {
  return {std::move(tasks), at, fault::stalling{time}};
}

} // namespace troupe::testing
