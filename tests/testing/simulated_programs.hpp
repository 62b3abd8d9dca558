// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/task.hpp>

#include <functional>
#include <map>
#include <string>

/// Programs of all that a simulation runs, which end well in any order: on one loop or
/// several, with timers, channels, locks, cancellation, threads and actors.
[[nodiscard]] const std::map<std::string, std::function<troupe::task<>()>>& simulated_programs();

/// Messages, timers, jobs for threads, cancellation, on three loops.
troupe::task<> every_kind_of_step();
