// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/http/access_log.hpp>
#include <troupe/serve.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <string>

namespace troupe::http {

/// How a server serves: where it listens, and what it puts up with.
struct server_options {
  /// The listener, the number of connections, the loops; `drain_limit`: how long requests under
  /// way may go on when the server is cancelled.
  serve_options serve = {};

  std::size_t head_limit = 16384;       ///< bytes of a request's line and headers: 431
  std::size_t target_limit = 8192;      ///< bytes of its target: 414
  std::size_t header_limit = 100;       ///< headers: 431
  std::uint64_t body_limit = 1U << 20U; ///< bytes of its body: 413; see `request::body_limit`

  duration idle_time = std::chrono::seconds(75); ///< between two requests
  duration head_time = std::chrono::seconds(10); ///< from its first byte to its last header: 408
  duration body_time = std::chrono::seconds(30); ///< without a byte of the body: 408
  std::uint64_t body_rate = 256; ///< bytes a second that a body comes at, after `body_time`: 408
  duration write_time = std::chrono::seconds(30); ///< a piece of 256 KiB to be taken

  /// After so many, a connection is closed.
  std::size_t requests_per_connection = std::numeric_limits<std::size_t>::max();

  std::string name = {}; ///< the header `Server`; empty: there is none

  /// Hears of each response that has been sent, or cut off. Must not throw. With
  /// `serve.spread`, called on all loops.
  std::function<void(const access_record&)> on_access = {};

  /// Hears of what a handler throws, other than an `http_error` below 500; by default it is
  /// written to stderr. Must not throw. With `serve.spread`, called on all loops.
  std::function<void(const std::exception_ptr&, const access_record&)> on_failure = {};
};

} // namespace troupe::http
