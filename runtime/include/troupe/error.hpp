// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <stdexcept>
#include <string>

namespace troupe {

/// A deadline has passed (`fail_after`, `fail_at`, `wait_for`, `gather` with a
/// timeout). The message names the scope.
class timeout_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// The result of a task was asked for, and the task had been cancelled. The
/// message names the task and the reason.
class task_cancelled : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// `nursery::start`: the task ended before it had said that it was ready.
class start_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// A nursery, a scope or a handle was used where it must not be: after it has
/// closed, or from another loop. Always a mistake in the program.
class usage_error : public std::logic_error {
public:
  using std::logic_error::logic_error;
};

} // namespace troupe
