// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::http {

/// One request, for a log. The texts live as long as the call that is given it.
struct access_record {
  std::chrono::system_clock::time_point time = {}; ///< when it had come
  std::string_view peer = {};
  std::string_view method = {}; ///< empty if the request could not be read
  std::string_view target = {};
  int minor_version = 1;
  int status = 0;              ///< of the response; 0: none was sent
  bool complete = true;        ///< whether all of it was sent
  std::uint64_t bytes_in = 0;  ///< of the request's body
  std::uint64_t bytes_out = 0; ///< of the response, its head included
  duration took = {};          ///< from the request's head to the response's last byte
  std::string_view user_agent = {};
  std::string_view referer = {};
};

/// The record as one line of JSON, without a line end:
///
///     {"time":"2026-11-21T15:04:05.678Z","peer":"127.0.0.1:50412","method":"GET", ...}
///
/// The time is UTC, `took` in seconds. What is not UTF-8 is written as U+FFFD.
[[nodiscard]] std::string to_json(const access_record& record);

} // namespace troupe::http
