// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "rules.hpp"

#include <troupe/error.hpp>
#include <troupe/net_error.hpp>
#include <troupe/nursery.hpp>
#include <troupe/testing/check_stream.hpp>
#include <troupe/time.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::testing {

/// What streams have to do, and how it is tried on a fresh connection.
struct stream_rule {
  const char* says;
  task<> (*holds)(stream_ends& ends, const check_stream_options& options);
};

/// Tries each rule. Throws `test_failure` that begins with `suite`.
[[nodiscard]] task<> check_stream_rules(const char* suite, std::span<const stream_rule> rules,
                                        const stream_maker& make,
                                        const check_stream_options& options);

/// `count` bytes of what the checks write, from `position` on: any stretch is unlike those
/// near it.
[[nodiscard]] std::vector<std::byte> bytes_from(std::size_t position, std::size_t count);

/// Writes `total` of them in pieces of many sizes.
[[nodiscard]] task<> write_bytes(stream& to, std::size_t total);

/// Writes `total` of them at once, until the stream is cut.
[[nodiscard]] task<> write_until_cut(stream& to, std::size_t total);

/// Reads `total` of them in pieces of many sizes; throws `test_failure` at the first that is
/// not what it should be.
[[nodiscard]] task<> read_bytes(stream& from, std::size_t total);

/// Reads text until there are `size` characters, or the end.
[[nodiscard]] task<std::string> read_text(stream& from, std::size_t size);

/// What one read gives.
[[nodiscard]] task<std::string> read_once(stream& from, std::size_t at_most = 100);

/// One end has gone, by closing: reading gives what is left, and then the end or an error.
[[nodiscard]] task<> read_to_some_end(stream& from);

/// Writes until that fails with what a stream says whose reader has gone.
[[nodiscard]] task<> write_until_broken(stream& to);

} // namespace troupe::testing
