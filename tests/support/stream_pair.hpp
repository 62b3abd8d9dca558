// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/troupe.hpp>

#include <functional>
#include <string>

namespace troupe_test {

/// Runs `body` with the two ends of a connection, on one loop.
inline void with_unix_pair(
  const std::function<troupe::task<>(troupe::unix_stream&, troupe::unix_stream&)>& body) {
  troupe::run(troupe::run_options{.loops = 1}, [&]() -> troupe::task<> {
    auto ends = troupe::unix_stream_pair();
    co_await body(ends.first, ends.second);
  });
}

/// What can be read at once, at most so much.
inline troupe::task<std::string> read_text(troupe::stream& from, std::size_t at_most = 100) {
  std::string text(at_most, '\0');
  text.resize(co_await from.read_some(std::as_writable_bytes(std::span(text))));
  co_return text;
}

/// Sends back what comes, to the end.
inline troupe::task<> echo(troupe::stream& peer) {
  std::array<std::byte, 16384> buffer; // NOLINT: written before it is read
  while (const auto n = co_await peer.read_some(buffer))
    co_await peer.write_all(std::span(buffer).first(n));
}

} // namespace troupe_test
