// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace troupe::testing::internal {

class simulator;

/// As long as this is there, the program fails `s` if it reads the machine's clock on this thread,
/// which no seed brings back. It reads as ever where `s` is null.
class clocks_refused {
public:
  explicit clocks_refused(simulator* s) noexcept;
  ~clocks_refused();
  clocks_refused(const clocks_refused&) = delete;
  clocks_refused& operator=(const clocks_refused&) = delete;
};

} // namespace troupe::testing::internal
