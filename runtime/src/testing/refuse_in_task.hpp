// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/loop.hpp>
#include <troupe/error.hpp>

#include <string>

namespace troupe::testing::internal {

/// Throws `usage_error` that names `what` on a loop, which it would stop.
inline void refuse_in_task(const char* what) {
  if (troupe::detail::loop::current())
    throw usage_error(std::string("troupe: ") + what + " was called inside of a task");
}

} // namespace troupe::testing::internal
