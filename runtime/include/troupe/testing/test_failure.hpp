// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <stdexcept>

namespace troupe::testing {

/// What the test kit has found to be wrong. Thrown instead of calling the macro of a test
/// framework: all of them report an exception with its text, which says all.
class test_failure : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
  ~test_failure() override;
};

} // namespace troupe::testing
