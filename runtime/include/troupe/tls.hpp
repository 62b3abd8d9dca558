// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/safe_to_await.hpp>
#include <troupe/serve.hpp>
#include <troupe/stream.hpp>
#include <troupe/tcp.hpp>
#include <troupe/tls_context.hpp>
#include <troupe/tls_error.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace troupe {

namespace detail {
class tls_state;
} // namespace detail

/// What a certificate says.
struct certificate_info {
  std::string subject;            ///< "CN=localhost, O=Example"
  std::string issuer;             ///< the same of who has signed it
  std::vector<std::string> names; ///< the hosts and addresses it is for
  std::chrono::system_clock::time_point not_before;
  std::chrono::system_clock::time_point not_after;
  std::string sha256; ///< its fingerprint, 64 hexadecimal digits
};

/// TLS over any stream; made by `tls_connect` and `tls_accept`.
///
/// A stream as all: one task may read while another writes. What comes is authentic and
/// complete: a connection that ends without the other side's saying so is
/// `tls_truncated`, never 0. So `close` it: destroying it says nothing to the other
/// side, which takes that for truncation.
///
/// - `read_some`: a checkpoint; cancelled, it has read nothing, and what has come is kept
///   for the next call. Throws `tls_truncated`, `tls_error`, and what the transport
///   throws. What it throws, it throws again.
/// - `write_all`: a checkpoint; cancelled in the middle, it has written a part, and the
///   stream is only good for closing (`usage_error`). Throws as above.
/// - `send_eof`: sends `close_notify`; reading goes on. A checkpoint, cancelled as `write_all`.
/// - `close`: sends `close_notify`, waits for the other side's at most for the context's
///   `shutdown_limit`, reading and dropping what still comes, and closes the transport. A
///   checkpoint; cancelled, it closes at once. A write under way in another task is cut.
///   Throws no `net_error`, whatever goes wrong on the way.
/// - `abort`: aborts the transport.
///
/// Idle, it keeps no buffers. It belongs to the loop that made it, as its transport does.
class tls_stream final : public stream {
public:
  tls_stream(tls_stream&& other) noexcept
    : stream(std::move(other)), state_(std::exchange(other.state_, nullptr)) {}
  tls_stream& operator=(tls_stream&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~tls_stream() override;

  using stream::write_all;
  [[nodiscard]] task<std::size_t> read_some(std::span<std::byte> into) override;
  [[nodiscard]] task<> write_all(std::span<const std::byte> data) override;
  [[nodiscard]] task<> write_all(std::span<const std::span<const std::byte>> parts) override;
  [[nodiscard]] task<> send_eof() override;
  [[nodiscard]] task<> close() override;
  void abort() noexcept override;
  [[nodiscard]] std::string peer() const override;
  [[nodiscard]] std::string local() const override;
  /// Of the bytes that are not encrypted.
  [[nodiscard]] stream_statistics statistics() const override;

  /// "TLSv1.3".
  [[nodiscard]] std::string version() const;
  /// "TLS_AES_128_GCM_SHA256".
  [[nodiscard]] std::string cipher() const;
  /// The protocol agreed on by ALPN; empty if none was.
  [[nodiscard]] std::string alpn() const;
  /// The host that the client has asked for; empty if it has not.
  [[nodiscard]] std::string server_name() const;
  /// Whether an earlier session was resumed.
  [[nodiscard]] bool session_reused() const;
  /// The other side's certificate, if it has shown one. A resumed session has that of
  /// the first.
  [[nodiscard]] std::optional<certificate_info> peer_certificate() const;
  /// Whether that certificate was found good. Never so if none was looked at.
  [[nodiscard]] bool peer_verified() const;

  /// Takes over a state whose handshake is done. For the runtime.
  explicit tls_stream(detail::tls_state& state) noexcept;

private:
  detail::tls_state* state_;
};

/// Does the client's part of the handshake on `transport`, with the server called `host`:
/// the name asked for (SNI), and looked for in the certificate. A name or a numeric
/// address.
///
/// A checkpoint; cancelled, the transport is closed. Throws `certificate_error`,
/// `tls_error`, `tls_truncated`, and what the transport throws; it is closed then, too.
[[nodiscard]] task<tls_stream> tls_connect(std::unique_ptr<stream> transport, std::string host,
                                           tls_client_context context);

/// The server's part. A checkpoint, and all else as above. Takes as long as the client
/// likes: put it into `fail_after`.
[[nodiscard]] task<tls_stream> tls_accept(std::unique_ptr<stream> transport,
                                          tls_server_context context);

/// The same on a `tcp_stream`, or any other stream that can be moved. Checkpoints.
template <std::derived_from<stream> Stream>
[[nodiscard]] task<tls_stream> tls_connect(Stream transport, std::string host,
                                           tls_client_context context) {
  return tls_connect(std::unique_ptr<stream>(std::make_unique<Stream>(std::move(transport))),
                     std::move(host), std::move(context));
}
template <std::derived_from<stream> Stream>
[[nodiscard]] task<tls_stream> tls_accept(Stream transport, tls_server_context context) {
  return tls_accept(std::unique_ptr<stream>(std::make_unique<Stream>(std::move(transport))),
                    std::move(context));
}

/// `open_tcp_stream` and `tls_connect`. A checkpoint; throws as they do.
[[nodiscard]] task<tls_stream> open_tls_stream(std::string host, std::uint16_t port,
                                               tls_client_context context);
/// With a context of its own: the system's authorities. A checkpoint.
[[nodiscard]] task<tls_stream> open_tls_stream(std::string host, std::uint16_t port);

/// Serves one connection. What it throws ends this connection alone.
using tls_handler = detail::awaited_function<task<>(tls_stream&)>;

/// `serve_tcp` with TLS: each connection's task does the handshake, within the context's
/// `handshake_limit`, runs `handler(stream)`, and closes the stream. If the handler fails or
/// is cancelled, the client sees truncation, not a clean end.
///
/// A failing handshake is reported as a handler's failure, and ends its connection alone.
/// A client that leaves without `close_notify`, before or after the handshake, is not
/// reported. A checkpoint; throws as `serve_tcp`.
[[nodiscard]] task<> serve_tls(tls_handler handler, std::uint16_t port, tls_server_context context,
                               serve_options options);
[[nodiscard]] task<> serve_tls(tls_handler handler, std::uint16_t port, tls_server_context context);

/// The same on a listener that is open already. A checkpoint.
[[nodiscard]] task<> serve_tls_listener(tls_handler handler, tcp_listener listener,
                                        tls_server_context context, serve_options options);
[[nodiscard]] task<> serve_tls_listener(tls_handler handler, tcp_listener listener,
                                        tls_server_context context);

} // namespace troupe
