// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/detail/safe_to_await.hpp>
#include <troupe/stream.hpp>
#include <troupe/testing/test_failure.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <memory>
#include <utility>

namespace troupe::testing {

/// Two streams that are connected, of any kind.
class stream_ends {
public:
  stream_ends(std::unique_ptr<stream> here, std::unique_ptr<stream> there) noexcept
    : one(std::move(here)), other(std::move(there)) {}
  template <std::derived_from<stream> A, std::derived_from<stream> B>
  stream_ends(A here, B there)
    : one(std::make_unique<A>(std::move(here))), other(std::make_unique<B>(std::move(there))) {}
  template <std::derived_from<stream> A, std::derived_from<stream> B>
  explicit stream_ends(std::pair<A, B> both)
    : stream_ends(std::move(both.first), std::move(both.second)) {}

  std::unique_ptr<stream> one;   ///< of a one-way stream, what is written to
  std::unique_ptr<stream> other; ///< and what is read from
};

/// Makes a fresh connection for each rule that is checked. A coroutine.
using stream_maker = troupe::detail::awaited_function<task<stream_ends>()>;

/// How a stream is checked.
struct check_stream_options {
  std::size_t clog = 16U << 20;                 ///< more bytes than can be under way
  duration patience = std::chrono::seconds(10); ///< for each rule
};

/// Checks that streams which `make` makes keep the rules that the documentation of `stream`
/// says, from `one` to `other`: order and completeness, the end, closing at either side at
/// any moment, aborting, two readers or writers at once, waiting while the other side is slow,
/// checkpoints, and that a cancelled read has read nothing. For pipes, and all that follows.
///
///     co_await check_one_way_stream([]() -> task<stream_ends> {
///       co_return stream_ends(my_stream_pair());
///     });
///
/// Throws `test_failure` that says which rule is broken and how. A checkpoint. After Trio's
/// `check_one_way_stream`.
[[nodiscard]] task<> check_one_way_stream(stream_maker make);
[[nodiscard]] task<> check_one_way_stream(stream_maker make, check_stream_options options);

/// As above in both directions, and that these do not disturb each other. A checkpoint.
[[nodiscard]] task<> check_two_way_stream(stream_maker make);
[[nodiscard]] task<> check_two_way_stream(stream_maker make, check_stream_options options);

/// As above, and that `send_eof` ends one direction alone. A checkpoint.
[[nodiscard]] task<> check_half_closeable_stream(stream_maker make);
[[nodiscard]] task<> check_half_closeable_stream(stream_maker make, check_stream_options options);

} // namespace troupe::testing
