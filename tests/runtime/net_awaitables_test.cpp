// SPDX-License-Identifier: BSD-3-Clause
// P4 and P5 for what waits for the network. What another thread, the kernel, completes nobody
// can stop on its way, so that there is no fourth time for it; the tests of each look at the
// effects.
#include "support/awaitable_trials.hpp"
#include "support/loopback.hpp"

#include <boost/test/unit_test.hpp>

#include <unistd.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe_test::localhost;
using troupe_test::loopback;
using troupe_test::run_trials;
using troupe_test::trial;

namespace {

/// Two ends of a connection, of which nobody uses the other one.
struct ends {
  std::optional<unix_stream> here, there;
  std::optional<buffered_reader> in;
};

template <class Operate>
auto waits(Operate operate) {
  return [operate] {
    auto s = std::make_shared<ends>();
    trial t;
    t.real_time = true;
    t.setup = [s]() -> task<> {
      auto pair = unix_stream_pair();
      s->here.emplace(std::move(pair.first));
      s->there.emplace(std::move(pair.second));
      s->in.emplace(*s->here);
      co_return;
    };
    t.waiting = [s, operate]() -> task<> { return operate(*s); };
    return t;
  };
}

template <class Operate>
auto completes(Operate operate) {
  return [operate] {
    trial t = waits(operate)();
    t.now = std::exchange(t.waiting, {});
    return t;
  };
}

/// As `waits`, but of an operation that makes what it needs.
template <class Operate>
auto waits_alone(Operate operate) {
  return [operate] {
    trial t;
    t.real_time = true;
    t.waiting = operate;
    return t;
  };
}

const std::vector<std::byte> much(50'000'000);

} // namespace

BOOST_AUTO_TEST_SUITE(net_awaitables)

BOOST_AUTO_TEST_CASE(p04_p05_streams) {
  run_trials({
    {"stream::read_some", true, waits([](ends& s) -> task<> {
       std::array<std::byte, 10> buffer{};
       static_cast<void>(co_await s.here->read_some(buffer));
     })},
    {"stream::write_all", true, waits([](ends& s) -> task<> { co_await s.here->write_all(much); })},
    {"stream::send_eof", false, completes([](ends& s) -> task<> { co_await s.here->send_eof(); })},
    {"stream::close", false, completes([](ends& s) -> task<> { co_await s.here->close(); })},
    {"buffered_reader::read_some", true, waits([](ends& s) -> task<> {
       std::array<std::byte, 10> buffer{};
       static_cast<void>(co_await s.in->read_some(buffer));
     })},
    {"buffered_reader::read_exactly", true,
     waits([](ends& s) -> task<> { static_cast<void>(co_await s.in->read_exactly(5)); })},
    {"buffered_reader::read_until", true,
     waits([](ends& s) -> task<> { static_cast<void>(co_await s.in->read_until("x")); })},
    {"buffered_reader::read_line", true,
     waits([](ends& s) -> task<> { static_cast<void>(co_await s.in->read_line()); })},
    {"buffered_reader::skip_line", true,
     waits([](ends& s) -> task<> { static_cast<void>(co_await s.in->skip_line()); })},
    {"buffered_reader::read_to_end", true,
     waits([](ends& s) -> task<> { static_cast<void>(co_await s.in->read_to_end(5)); })},
    {"buffered_writer::write", true, waits([](ends& s) -> task<> {
       buffered_writer out(*s.here);
       co_await out.write(much);
     })},
    {"buffered_writer::flush", true, waits([](ends& s) -> task<> {
       buffered_writer out(*s.here, 100'000'000);
       co_await out.write(much);
       co_await out.flush();
     })},
    {"queued_writer::write", true, waits([](ends& s) -> task<> {
       co_await with_queued_writer(*s.here, [](queued_writer& out) -> task<> {
         for (;;)
           co_await out.write(much);
       });
     })},
    {"queued_writer::flush", true, waits([](ends& s) -> task<> {
       co_await with_queued_writer(*s.here, [](queued_writer& out) -> task<> {
         co_await out.write(much);
         co_await out.flush();
       });
     })},
    {"queued_writer::run", true, waits([](ends& s) -> task<> {
       queued_writer out(*s.here, water_marks());
       co_await out.run();
     })},
    {"with_queued_writer", true, waits([](ends& s) -> task<> {
       co_await with_queued_writer(*s.here,
                                   [](queued_writer& out) -> task<> { co_await out.write(much); });
     })},
    {"run_protocol", true, waits([](ends& s) -> task<> {
       struct silent final : protocol {
         void data_received(std::span<const std::byte>) override {}
       } p;
       co_await run_protocol(*s.here, p);
     })},
    {"heartbeat", true, waits([](ends& s) -> task<> {
       co_await heartbeat(*s.here, heartbeat_options(), []() -> task<> { co_return; });
     })},
    {"wait_readable", true,
     waits([](ends& s) -> task<> { co_await wait_readable(s.here->native_handle()); })},
    {"wait_writable", true,
     completes([](ends& s) -> task<> { co_await wait_writable(s.here->native_handle()); })},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_sockets) {
  run_trials({
    {"tcp_listener::accept", true, waits_alone([]() -> task<> {
       tcp_listener listener(0, loopback);
       static_cast<void>(co_await listener.accept());
     })},
    {"unix_listener::accept", true, waits_alone([]() -> task<> {
       unix_listener listener("@troupe accept " + std::to_string(::getpid()));
       static_cast<void>(co_await listener.accept());
     })},
    {"serve_tcp", true, waits_alone([]() -> task<> {
       const tcp_handler handler = [](tcp_stream&) -> task<> { co_return; };
       const serve_options local{.listen = loopback};
       co_await serve_tcp(handler, 0, local);
     })},
    {"serve_unix", true, waits_alone([]() -> task<> {
       const unix_handler handler = [](unix_stream&) -> task<> { co_return; };
       co_await serve_unix(handler, "@troupe serve " + std::to_string(::getpid()));
     })},
    {"serve_listener", true, waits_alone([]() -> task<> {
       const tcp_handler handler = [](tcp_stream&) -> task<> { co_return; };
       serve_options options;
       options.drain_limit = 1h;
       co_await serve_listener(handler, tcp_listener(0, loopback), options);
     })},
    {"serve_protocol", true, waits_alone([]() -> task<> {
       const protocol_factory factory = [] { return std::unique_ptr<protocol>(); };
       const serve_options local{.listen = loopback};
       co_await serve_protocol(factory, 0, local);
     })},
    {"open_tcp_stream", true,
     [] {
       auto listener = std::make_shared<std::optional<tcp_listener>>();
       trial t;
       t.real_time = true;
       t.setup = [listener]() -> task<> {
         listener->emplace(std::uint16_t(0), loopback);
         co_return;
       };
       t.now = [listener]() -> task<> { // it is there at once
         static_cast<void>(co_await open_tcp_stream(localhost, (*listener)->port()));
       };
       return t;
     }},
    {"open_unix_stream", true,
     [] {
       auto listener = std::make_shared<std::optional<unix_listener>>();
       trial t;
       t.real_time = true;
       t.setup = [listener]() -> task<> {
         listener->emplace("@troupe open " + std::to_string(::getpid()));
         co_return;
       };
       t.now = [listener]() -> task<> {
         static_cast<void>(co_await open_unix_stream((*listener)->local()));
       };
       return t;
     }},
    {"resolve", true, waits_alone([]() -> task<> {
       udp_socket silent(0, localhost);
       resolve_options options;
       options.servers = silent.local();
       static_cast<void>(co_await resolve("x.test", 1, options));
     })},
    {"datagram_socket::receive", true, waits_alone([]() -> task<> {
       udp_socket socket(0, localhost);
       std::array<std::byte, 10> buffer{};
       static_cast<void>(co_await socket.receive(buffer));
     })},
    {"datagram_socket::send_to", true, waits_alone([]() -> task<> {
       const std::string name = "@troupe send_to " + std::to_string(::getpid());
       unix_datagram_socket full(name);
       unix_datagram_socket socket;
       const auto to = socket_address::unix_path(name);
       for (;;)
         co_await socket.send_to(to, "x");
     })},
    {"datagram_socket::send", true, waits_alone([]() -> task<> {
       const std::string name = "@troupe send " + std::to_string(::getpid());
       unix_datagram_socket full(name);
       unix_datagram_socket socket;
       socket.connect(socket_address::unix_path(name));
       for (;;)
         co_await socket.send("x");
     })},
    {"retry", true, waits_alone([]() -> task<> {
       co_await retry(retry_policy(), []() -> task<> { co_await sleep_forever(); });
     })},
    {"stay_connected", true, waits_alone([]() -> task<> {
       co_await stay_connected(
         retry_policy(), []() -> task<int> { co_return 1; },
         [](int) -> task<> { co_await sleep_forever(); });
     })},
    {"dispatcher::operator ()", true, waits_alone([]() -> task<> {
       const dispatcher call;
       co_await call([]() -> task<> { co_await sleep_forever(); });
     })},
    {"as_outcome", true, waits_alone([]() -> task<> {
       static_cast<void>(co_await as_outcome([]() -> task<> { co_await sleep_forever(); }()));
     })},
  });
}

BOOST_AUTO_TEST_SUITE_END()
