// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/safe_to_await.hpp>
#include <troupe/net_error.hpp>
#include <troupe/stream.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace troupe {

namespace detail {
class socket_state;
} // namespace detail

/// A TCP connection. Small writes are sent at once (`TCP_NODELAY`).
class tcp_stream final : public stream {
public:
  tcp_stream(tcp_stream&& other) noexcept
    : stream(std::move(other)), socket_(std::exchange(other.socket_, nullptr)) {}
  tcp_stream& operator=(tcp_stream&& other) noexcept {
    std::swap(socket_, other.socket_);
    return *this;
  }
  ~tcp_stream() override;

  using stream::write_all;
  [[nodiscard]] task<std::size_t> read_some(std::span<std::byte> into) override;
  [[nodiscard]] task<> write_all(std::span<const std::byte> data) override;
  [[nodiscard]] task<> send_eof() override;
  [[nodiscard]] task<> close() override;
  void abort() noexcept override;
  [[nodiscard]] std::string peer() const override;
  [[nodiscard]] std::string local() const override;

  /// The descriptor, for options that are not covered here; -1 when closed.
  [[nodiscard]] int native_handle() const noexcept;

  /// Takes over a connected socket. For the runtime.
  explicit tcp_stream(detail::socket_state& socket) noexcept;

private:
  detail::socket_state* socket_;
};

/// Connects to `host`, a name or a numeric address, trying its addresses in
/// order. A checkpoint; cancelled, there is no connection. Throws
/// `host_not_found`, `connection_refused`, `host_unreachable`, `net_error`.
[[nodiscard]] task<tcp_stream> open_tcp_stream(std::string host, std::uint16_t port);

/// How a listener is opened.
struct listen_options {
  std::string address = {}; ///< numeric; empty: all addresses of the machine, IPv4 and IPv6
  int backlog = 1024;       ///< connections that the kernel keeps until they are accepted
};

/// A port that is listened on, from construction to destruction, by the loop that
/// made it.
class tcp_listener {
public:
  /// `port` 0: any that is free, see `port()`. Throws `address_in_use`,
  /// `net_error`; `usage_error` outside of a task. Not a checkpoint.
  explicit tcp_listener(std::uint16_t port, const listen_options& options = {});
  tcp_listener(tcp_listener&& other) noexcept : socket_(std::exchange(other.socket_, nullptr)) {}
  tcp_listener& operator=(tcp_listener&& other) noexcept {
    std::swap(socket_, other.socket_);
    return *this;
  }
  ~tcp_listener();

  /// Waits for the next connection. A checkpoint; cancelled, none was taken.
  /// Throws `too_many_files`, `stream_closed`, `net_error`.
  [[nodiscard]] task<tcp_stream> accept();

  /// Stops listening. A task that waits in `accept` gets `stream_closed`.
  void close() noexcept;

  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] std::string local() const;

private:
  detail::socket_state* socket_;
};

/// How `serve_tcp` serves.
struct serve_options {
  std::string address = {};              ///< as in `listen_options`
  int backlog = 1024;                    ///< as in `listen_options`
  std::size_t connection_limit = 10'000; ///< beyond, clients wait in the backlog
  std::string name = "connection";       ///< tasks are called "<name> from <peer>"

  /// Hears of each failure, once, with the name of the task that failed; by
  /// default it is written to stderr. Must not throw.
  std::function<void(const std::exception_ptr&, std::string_view task_name)> on_failure = {};
};

/// Serves one connection. What it throws ends this connection alone.
using tcp_handler = detail::awaited_function<task<>(tcp_stream&)>;

/// Listens on `port` and runs `handler(stream)` for each connection in a task of
/// its own, in a nursery that this call owns, until cancelled: then it stops
/// listening, cancels the connections and waits for them.
///
/// A soft stop (`nursery::stop`) stops listening and lets the connections end.
/// A handler's failure is reported, the server goes on; a `connection_reset` or
/// `broken_pipe` that the handler lets through is the client's leaving and is not
/// reported. The connection is closed when the handler ends. When descriptors run
/// out, that is reported once, and accepting goes on when some are free again.
///
/// A checkpoint. Throws `address_in_use` and its kin at the start. With g++ 12, give
/// the options as a variable: it destroys braced temporaries in an await twice.
[[nodiscard]] task<> serve_tcp(tcp_handler handler, std::uint16_t port, serve_options options);
[[nodiscard]] task<> serve_tcp(tcp_handler handler, std::uint16_t port);

/// The same on a listener that is open already, for one whose port must be known. A
/// checkpoint.
[[nodiscard]] task<> serve_listener(tcp_handler handler, tcp_listener listener,
                                    serve_options options);
[[nodiscard]] task<> serve_listener(tcp_handler handler, tcp_listener listener);

/// Raises this process's limit of open descriptors as far as it may, for servers
/// with many connections. Returns the limit that is then in force.
std::size_t raise_descriptor_limit() noexcept;

} // namespace troupe
