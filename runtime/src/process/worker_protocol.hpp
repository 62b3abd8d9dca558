// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string_view>

namespace troupe::detail {

/// The first argument of a worker process.
inline constexpr std::string_view worker_argument = "--troupe-process-worker";

/// Is in the environment of worker processes: one that does not see its argument must not
/// start workers in its turn.
inline constexpr const char* worker_variable = "TROUPE_PROCESS_WORKER";

/// A worker's descriptors.
inline constexpr int worker_requests = 3;
inline constexpr int worker_answers = 4;

/// Comes before a request: then the function's name and its arguments.
struct request_header {
  std::uint64_t name_size;
  std::uint64_t size;
};

enum class answer_kind : std::uint64_t { value, exception, unknown_function };

/// Comes before an answer: the value, or what was thrown, its type and text.
struct answer_header {
  answer_kind kind;
  std::uint64_t type_size; // of an exception
  std::uint64_t size;
};

} // namespace troupe::detail
