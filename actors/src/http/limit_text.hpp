// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/time.hpp>

#include <chrono>
#include <string>

namespace troupe::http::client {

/// "5 s", "250 ms".
[[nodiscard]] inline std::string limit_text(duration d) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(d).count();
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

/// From now on.
[[nodiscard]] inline time_point end_of_limit(duration d) noexcept {
  return deadline_after(current_time(), d);
}

} // namespace troupe::http::client
