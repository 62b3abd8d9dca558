// SPDX-License-Identifier: BSD-3-Clause
// A library that belongs to a program, and is linked dynamically.
#include "clock_reading_library.hpp"

#include <chrono>
#include <ctime>

namespace troupe_test {

void library_reads_steady_clock() { static_cast<void>(std::chrono::steady_clock::now()); }
void library_reads_time() { static_cast<void>(std::time(nullptr)); }

} // namespace troupe_test
