// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdlib>
#include <string>

namespace troupe_test {

/// Sets TROUPE_SEED for a while.
class seed_variable {
public:
  explicit seed_variable(const std::string& value) { ::setenv("TROUPE_SEED", value.c_str(), 1); }
  seed_variable(const seed_variable&) = delete;
  seed_variable& operator=(const seed_variable&) = delete;
  ~seed_variable() { ::unsetenv("TROUPE_SEED"); }
};

} // namespace troupe_test
