// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/cancel_scope.hpp>
#include <troupe/nursery.hpp>
#include <troupe/tls.hpp>

#include <optional>
#include <utility>

namespace troupe {

namespace {

/// What `serve_tcp` runs for each connection.
class tls_service {
public:
  tls_service(tls_handler handler, tls_server_context context)
    : handler_(std::move(handler)), context_(std::move(context)) {}

  task<> operator()(tcp_stream& connection) const {
    try {
      std::optional<tls_stream> peer = co_await shake_hands(connection);
      if (!peer)
        co_return;
      co_await handler_(*peer);
      co_await peer->close();
    } catch (const tls_truncated&) { // NOLINT(bugprone-empty-catch): the client has left
    }
  }

private:
  /// Gives nothing if the server is asked to stop meanwhile.
  task<std::optional<tls_stream>> shake_hands(tcp_stream& connection) const {
    std::optional<tls_stream> peer;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_service(named("stop of a TLS handshake", [&n]() -> task<> {
        co_await stopping();
        n.cancel("asked to stop");
      }));
      peer = co_await fail_after(
        context_.options().handshake_limit,
        [&] { return tls_accept(std::move(connection), context_); },
        "the TLS handshake with " + connection.peer());
    });
    co_return peer;
  }

  tls_handler handler_;
  tls_server_context context_;
};

} // namespace

task<> serve_tls_listener(tls_handler handler, tcp_listener listener, tls_server_context context,
                          serve_options options) {
  const tls_service service(std::move(handler), std::move(context));
  co_await serve_listener(service, std::move(listener), std::move(options));
}

// not default arguments: g++ 12 destroys those of an awaited call twice
task<> serve_tls_listener(tls_handler handler, tcp_listener listener, tls_server_context context) {
  return serve_tls_listener(std::move(handler), std::move(listener), std::move(context),
                            serve_options());
}

task<> serve_tls(tls_handler handler, std::uint16_t port, tls_server_context context,
                 serve_options options) {
  const tls_service service(std::move(handler), std::move(context));
  co_await serve_tcp(service, port, std::move(options));
}

task<> serve_tls(tls_handler handler, std::uint16_t port, tls_server_context context) {
  return serve_tls(std::move(handler), port, std::move(context), serve_options());
}

} // namespace troupe
