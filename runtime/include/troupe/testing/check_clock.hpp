// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/task.hpp>
#include <troupe/testing/test_failure.hpp>

namespace troupe::testing {

/// Checks that the clock of the runtime it runs on (`run_options::time`, or the machine's)
/// keeps the rules that sleeps and deadlines are promised by: time does not run backwards, on
/// one loop or from one loop to the next; nothing is early; sleepers wake in the order of
/// their deadlines, those of one deadline in the order they came; the tightest deadline wins;
/// what is cancelled leaves nothing behind.
///
///     run({.time = &my_clock}, [] { return check_clock(); });
///
/// Takes some milliseconds of that clock. Throws `test_failure` that says which rule is broken
/// and how. A checkpoint.
[[nodiscard]] task<> check_clock();

} // namespace troupe::testing
