// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/task.hpp>

#include <functional>
#include <string>

namespace troupe::testing {

/// Waits until `holds()` is true, which is looked at now, and then after each step of any
/// task under simulation, else each millisecond of the loop's time. Throws a `test_failure`
/// that names `what` if that takes longer than `within`. A checkpoint.
///
/// Under simulation `holds` is called outside of all tasks, and must not throw.
task<> eventually(std::string what, std::function<bool()> holds, duration within);

/// Waits for `during`, as long as `holds()` is true, which is looked at as by `eventually`.
/// Throws a `test_failure` that names `what` as soon as it is not. A checkpoint.
task<> always(std::string what, std::function<bool()> holds, duration during);

} // namespace troupe::testing
