// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace troupe_test {

void library_reads_steady_clock();
void library_reads_time();

} // namespace troupe_test
