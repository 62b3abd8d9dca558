// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/child_spec.hpp>
#include <troupe/clock.hpp>
#include <troupe/serve.hpp>
#include <troupe/stream.hpp>
#include <troupe/task.hpp>
#include <troupe/tls_context.hpp>
#include <troupe/udp.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace troupe {

/// What has gone through an echo service.
struct echo_statistics {
  std::uint64_t connections = 0; ///< so far
  std::uint64_t open = 0;        ///< now
  std::uint64_t messages = 0;    ///< datagrams, or messages of WebSockets; reads of streams
  std::uint64_t bytes = 0;       ///< that were sent back
  std::uint64_t dropped = 0;     ///< datagrams that were not answered
};

/// Counts for one echo service or several, also over restarts: give it to their options. Any
/// thread.
class echo_meter {
public:
  [[nodiscard]] echo_statistics statistics() const noexcept;

  /// The port that was listened on last; 0: none yet.
  [[nodiscard]] std::uint16_t port() const noexcept { return port_.load(); }

  /// For services.
  void listening(std::uint16_t port) noexcept { port_ = port; }
  void connected() noexcept;
  void disconnected() noexcept { --open_; }
  void echoed(std::size_t bytes) noexcept;
  void dropped() noexcept { ++dropped_; }

private:
  std::atomic<std::uint64_t> connections_{0}, open_{0}, messages_{0}, bytes_{0}, dropped_{0};
  std::atomic<std::uint16_t> port_{0};
};

/// How an echo service behaves. Give a variable: g++ 12 destroys braced temporaries in an await
/// twice.
struct echo_options {
  serve_options serve = {};   ///< of services with connections: their number, loops, name
  std::size_t buffer = 16384; ///< bytes, of each connection
  duration idle_limit = duration::max(); ///< a connection that is silent for so long is closed
  duration write_limit = std::chrono::seconds(30); ///< one that does not take what was read, or a
                                                   ///< message, in this time is cut off
  std::uint64_t byte_limit = 0;         ///< a connection is closed after so many; 0: never
  std::size_t datagrams_per_second = 0; ///< those beyond are dropped; 0: all are answered

  /// Datagrams from ports below are dropped: another service would answer the answer, and so on.
  std::uint16_t lowest_port = 1024;

  std::shared_ptr<echo_meter> meter = nullptr; ///< what counts, if anything
};

/// Sends back what comes, until the other side ends its direction or a limit is reached; then
/// ends this direction, too, or aborts the stream if it takes nothing (`write_limit`). Asked to
/// stop (`nursery::stop`), it does so when all that was read is sent back. What comes out is always
/// a prefix of what went in. Throws what the stream throws. A checkpoint.
[[nodiscard]] task<> echo(stream& peer, const echo_options& options);
[[nodiscard]] task<> echo(stream& peer);

/// Services of their own, until cancelled or asked to stop; see `serve_listener`. Checkpoints.
[[nodiscard]] task<> serve_echo(tcp_listener listener, echo_options options);
[[nodiscard]] task<> serve_echo(tcp_listener listener, tls_server_context context,
                                echo_options options);
[[nodiscard]] task<> serve_echo(unix_listener listener, echo_options options);

/// Sends each datagram back to where it came from, if it can be. A checkpoint; throws what
/// `receive` throws, but not what has become of answers.
[[nodiscard]] task<> serve_echo(udp_socket socket, echo_options options);

/// The same as children of a supervisor, called `name`: each life listens anew, and is ready when
/// it does. Stopped, they have a second to send back what they have read. Throw, at the start,
/// `address_in_use` and its kin. Not checkpoints.
[[nodiscard]] child_spec tcp_echo_child(std::string name, std::uint16_t port, listen_options listen,
                                        echo_options options);
[[nodiscard]] child_spec tls_echo_child(std::string name, std::uint16_t port, listen_options listen,
                                        tls_server_context context, echo_options options);
[[nodiscard]] child_spec unix_echo_child(std::string name, std::string path, echo_options options);
[[nodiscard]] child_spec udp_echo_child(std::string name, std::uint16_t port, std::string address,
                                        echo_options options);

} // namespace troupe
