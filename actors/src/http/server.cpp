// SPDX-License-Identifier: BSD-3-Clause
#include "server_connection.hpp"

#include <troupe/http/server.hpp>
#include <troupe/tls.hpp>

#include <utility>

namespace troupe::http {

namespace {

/// What all connections of a server share; it only reads them.
struct shared {
  served_handler answer;
  server_options options;

  task<> operator()(stream& on) const { return serve_connection(on, answer, options); }
};

// NOLINTBEGIN(bugprone-use-after-move): seen in what keeps a coroutine's parameters
template <class Listener>
task<> serve_on(served_handler answer, Listener listener, server_options options) {
  const shared all{std::move(answer), std::move(options)};
  co_await troupe::serve_listener(std::ref(all), std::move(listener), all.options.serve);
}

task<> serve_tls_on(served_handler answer, tcp_listener listener, tls_server_context context,
                    server_options options) {
  const shared all{std::move(answer), std::move(options)};
  co_await troupe::serve_tls_listener(std::ref(all), std::move(listener), std::move(context),
                                      all.options.serve);
}
// NOLINTEND(bugprone-use-after-move)

} // namespace

task<> serve_connection(stream& on, const served_handler& answer, const server_options& options) {
  server_connection connection(on, answer, options);
  co_await connection.run();
}

// not default arguments: g++ 12 destroys those of an awaited call twice

task<> serve(served_handler answer, std::uint16_t port, server_options options) {
  tcp_listener listener(port, options.serve.listen);
  co_await serve_on(std::move(answer), std::move(listener), std::move(options));
}

task<> serve(served_handler answer, std::uint16_t port) {
  return serve(std::move(answer), port, server_options());
}

task<> serve(served_handler answer, std::uint16_t port, tls_server_context context,
             server_options options) {
  tcp_listener listener(port, options.serve.listen);
  co_await serve_tls_on(std::move(answer), std::move(listener), std::move(context),
                        std::move(options));
}

task<> serve(served_handler answer, std::uint16_t port, tls_server_context context) {
  return serve(std::move(answer), port, std::move(context), server_options());
}

task<> serve(served_handler answer, tcp_listener listener, server_options options) {
  return serve_on(std::move(answer), std::move(listener), std::move(options));
}

task<> serve(served_handler answer, tcp_listener listener) {
  return serve_on(std::move(answer), std::move(listener), server_options());
}

task<> serve(served_handler answer, tcp_listener listener, tls_server_context context,
             server_options options) {
  return serve_tls_on(std::move(answer), std::move(listener), std::move(context),
                      std::move(options));
}

task<> serve(served_handler answer, tcp_listener listener, tls_server_context context) {
  return serve_tls_on(std::move(answer), std::move(listener), std::move(context), server_options());
}

task<> serve(served_handler answer, unix_listener listener, server_options options) {
  return serve_on(std::move(answer), std::move(listener), std::move(options));
}

task<> serve(served_handler answer, unix_listener listener) {
  return serve_on(std::move(answer), std::move(listener), server_options());
}

} // namespace troupe::http
