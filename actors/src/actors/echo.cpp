// SPDX-License-Identifier: BSD-3-Clause
#include "echo_connection.hpp"

#include <troupe/actors/echo.hpp>
#include <troupe/actors/rate_limiter.hpp>
#include <troupe/cancel_scope.hpp>
#include <troupe/nursery.hpp>
#include <troupe/time.hpp>
#include <troupe/tls.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

namespace troupe {

echo_statistics echo_meter::statistics() const noexcept {
  echo_statistics s;
  s.connections = connections_;
  s.open = open_;
  s.messages = messages_;
  s.bytes = bytes_;
  s.dropped = dropped_;
  return s;
}

void echo_meter::connected() noexcept {
  ++connections_;
  ++open_;
}

void echo_meter::echoed(std::size_t bytes) noexcept {
  ++messages_;
  bytes_ += bytes;
}

namespace {

constexpr duration child_grace = std::chrono::seconds(1);

child_spec child(std::string name, child_start start) {
  child_spec spec{std::move(name), std::move(start)};
  spec.grace = child_grace;
  return spec;
}

void listening(const echo_options& options, std::uint16_t port) noexcept {
  if (options.meter)
    options.meter->listening(port);
}

} // namespace

namespace {

task<> run_tcp(task_status<>& status, std::uint16_t port, listen_options listen,
               echo_options options) {
  tcp_listener listener(port, listen);
  status.started();
  co_await serve_echo(std::move(listener), std::move(options));
}

task<> run_tls(task_status<>& status, std::uint16_t port, listen_options listen,
               tls_server_context context, echo_options options) {
  tcp_listener listener(port, listen);
  status.started();
  co_await serve_echo(std::move(listener), std::move(context), std::move(options));
}

task<> run_unix(task_status<>& status, std::string path, echo_options options) {
  unix_listener listener(std::move(path));
  status.started();
  co_await serve_echo(std::move(listener), std::move(options));
}

task<> run_udp(task_status<>& status, std::uint16_t port, std::string address,
               echo_options options) {
  udp_socket socket(port, address);
  status.started();
  co_await serve_echo(std::move(socket), std::move(options));
}

} // namespace

task<> echo(stream& peer, const echo_options& options) {
  echo_meter* const meter = options.meter.get();
  const counted_connection connection(meter);
  std::vector<std::byte> buffer(std::max<std::size_t>(options.buffer, 1));
  until_stopped idle;
  bool taken = true; // by the peer
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_service([&]() { return idle.watch(); });
    std::uint64_t left = options.byte_limit == 0 ? UINT64_MAX : options.byte_limit;
    while (left != 0) {
      const auto room = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), left));
      std::size_t got = 0;
      co_await idle.run(options.idle_limit,
                        [&]() -> task<> { got = co_await peer.read_some(room); });
      if (got == 0)
        break;
      taken = co_await move_on_after(options.write_limit, [&]() {
        return peer.write_all(std::span<const std::byte>(room).first(got));
      });
      if (!taken)
        break;
      left -= got;
      if (meter)
        meter->echoed(got);
    }
  });
  if (taken)
    co_await peer.send_eof();
  else
    peer.abort();
}

task<> echo(stream& peer) {
  const echo_options options;
  co_await echo(peer, options);
}

task<> serve_echo(tcp_listener listener, echo_options options) {
  listening(options, listener.port());
  const auto handler = [&](tcp_stream& s) { return echo(s, options); };
  co_await serve_listener(handler, std::move(listener), options.serve);
}

task<> serve_echo(tcp_listener listener, tls_server_context context, echo_options options) {
  listening(options, listener.port());
  const auto handler = [&](tls_stream& s) { return echo(s, options); };
  co_await serve_tls_listener(handler, std::move(listener), std::move(context), options.serve);
}

task<> serve_echo(unix_listener listener, echo_options options) {
  const auto handler = [&](unix_stream& s) { return echo(s, options); };
  co_await serve_listener(handler, std::move(listener), options.serve);
}

task<> serve_echo(udp_socket socket, echo_options options) {
  listening(options, socket.port());
  echo_meter* const meter = options.meter.get();
  std::optional<rate_limiter> rate;
  if (options.datagrams_per_second != 0)
    rate.emplace(
      rate_limiter_options{.name = options.serve.name, .rate = options.datagrams_per_second});
  std::vector<std::byte> buffer(65536); // the largest there is
  until_stopped idle;
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_service([&]() { return idle.watch(); });
    for (;;) {
      datagram d;
      const bool there = co_await idle.run(
        duration::max(), [&]() -> task<> { d = co_await socket.receive(buffer); });
      if (!there)
        break;
      bool sent = false;
      if (d.from.port() >= options.lowest_port && (!rate || rate->try_acquire())) {
        try {
          co_await socket.send_to(d.from, std::span<const std::byte>(buffer).first(d.size));
          sent = true;
        } catch (const net_error&) { // NOLINT(bugprone-empty-catch): that one cannot be reached
        }
      }
      if (meter && sent)
        meter->echoed(d.size);
      else if (meter)
        meter->dropped();
    }
  });
}

child_spec tcp_echo_child(std::string name, std::uint16_t port, listen_options listen,
                          echo_options options) {
  return child(std::move(name),
               [port, listen = std::move(listen),
                options = std::move(options)](task_status<>& status) -> task<> {
                 return run_tcp(status, port, listen, options);
               });
}

child_spec tls_echo_child(std::string name, std::uint16_t port, listen_options listen,
                          tls_server_context context, echo_options options) {
  return child(std::move(name),
               [port, listen = std::move(listen), context = std::move(context),
                options = std::move(options)](task_status<>& status) -> task<> {
                 return run_tls(status, port, listen, context, options);
               });
}

child_spec unix_echo_child(std::string name, std::string path, echo_options options) {
  return child(std::move(name),
               [path = std::move(path), options = std::move(options)](
                 task_status<>& status) -> task<> { return run_unix(status, path, options); });
}

child_spec udp_echo_child(std::string name, std::uint16_t port, std::string address,
                          echo_options options) {
  return child(std::move(name),
               [port, address = std::move(address),
                options = std::move(options)](task_status<>& status) -> task<> {
                 return run_udp(status, port, address, options);
               });
}

} // namespace troupe
