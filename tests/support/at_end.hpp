// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

/// What stands in frames, and tells when they are gone.
namespace troupe_test {

struct at_end {
  std::string& log;
  char what;
  ~at_end() { log += what; }
};

struct counts_end {
  int& ended;
  ~counts_end() { ++ended; }
};

} // namespace troupe_test
