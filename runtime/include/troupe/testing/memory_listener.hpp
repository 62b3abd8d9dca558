// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/testing/memory_stream.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace troupe::testing {

/// How a listener in memory is opened.
struct memory_listener_options {
  std::string name = "memory listener";
  std::size_t backlog = 1024;   ///< connections that wait to be accepted
  std::size_t capacity = 65536; ///< of each connection, in each direction
};

/// Where connections in memory come from, for a service that takes a `stream&`:
///
///     memory_listener listener;
///     n.start_soon([&]() -> task<> { auto s = co_await listener.accept(); co_await serve(s); });
///     auto client = co_await listener.connect();
///
/// As `tcp_listener`: belongs to one loop, and one task may accept at a time
/// (`usage_error`). A service that is started by `serve_tcp` runs on a simulated network
/// instead.
class memory_listener {
public:
  using stream_type = memory_stream;

  explicit memory_listener(memory_listener_options options);
  memory_listener();
  memory_listener(memory_listener&& other) noexcept = default;
  memory_listener& operator=(memory_listener&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~memory_listener() { close(); }

  /// Waits for the next connection. A checkpoint; cancelled, none was taken. Throws
  /// `stream_closed`, also when it is closed meanwhile.
  [[nodiscard]] task<memory_stream> accept();

  /// Connects; waits while the backlog is full. A checkpoint; cancelled, there is no
  /// connection. Throws `connection_refused` when the listener is closed.
  [[nodiscard]] task<memory_stream> connect();

  /// Stops listening. Connections that nobody has accepted are cut off. Idempotent. Not a
  /// checkpoint.
  void close() noexcept;

  [[nodiscard]] std::string local() const;

private:
  struct state;
  [[nodiscard]] const std::shared_ptr<state>& usable(const char* what) const;

  std::shared_ptr<state> state_; // those who wait hold it, too
};

} // namespace troupe::testing
