// SPDX-License-Identifier: BSD-3-Clause
#include "../actors/echo_connection.hpp"

#include <troupe/http/echo.hpp>

#include <chrono>
#include <utility>

namespace troupe::http {

namespace {

task<> run(task_status<>& status, std::uint16_t port, listen_options listen,
           websocket_server_options how, echo_options options) {
  tcp_listener listener(port, listen);
  status.started();
  co_await serve_echo(std::move(listener), std::move(how), std::move(options));
}

} // namespace

task<> echo(websocket& peer, const echo_options& options) {
  echo_meter* const meter = options.meter.get();
  const counted_connection connection(meter);
  until_stopped idle;
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_service([&]() { return idle.watch(); });
    std::uint64_t left = options.byte_limit == 0 ? UINT64_MAX : options.byte_limit;
    while (left != 0) {
      std::optional<websocket_message> m;
      co_await idle.run(options.idle_limit, [&]() -> task<> { m = co_await peer.receive(); });
      if (!m)
        break;
      const bool taken =
        co_await move_on_after(options.write_limit, [&]() { return peer.send(*m); });
      if (!taken)
        co_return peer.abort();
      left -= std::min<std::uint64_t>(left, m->data.size());
      if (meter)
        meter->echoed(m->data.size());
    }
  });
}

task<> serve_echo(tcp_listener listener, websocket_server_options how, echo_options options) {
  if (options.meter)
    options.meter->listening(listener.port());
  const auto handler = [&](websocket& ws) { return echo(ws, options); };
  co_await serve_websocket(handler, std::move(listener), std::move(how), options.serve);
}

child_spec websocket_echo_child(std::string name, std::uint16_t port, listen_options listen,
                                websocket_server_options how, echo_options options) {
  child_spec spec{std::move(name),
                  [port, listen = std::move(listen), how = std::move(how),
                   options = std::move(options)](task_status<>& status) -> task<> {
                    return run(status, port, listen, how, options);
                  }};
  spec.grace = std::chrono::seconds(1);
  return spec;
}

} // namespace troupe::http
