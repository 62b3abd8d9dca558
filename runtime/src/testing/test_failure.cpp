// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/test_failure.hpp>

namespace troupe::testing {

test_failure::~test_failure() = default;

} // namespace troupe::testing
