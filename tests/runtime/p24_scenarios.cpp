// SPDX-License-Identifier: BSD-3-Clause
#include "p24_scenarios.hpp"
#include "support/temporary_directory.hpp"
#include "support/tls_pair.hpp"

#include <troupe/troupe.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <stdexcept>
#include <string>
#include <vector>

namespace p24 {

namespace {

using namespace troupe;
using namespace std::chrono_literals;

task<int> worker(ledger& l, int value) {
  const tracked here(l);
  co_await checkpoint();
  co_await sleep_for(1us * value);
  const tracked still_here(l);
  co_await checkpoint();
  co_return value;
}

task<> children_and_results(ledger& l) {
  co_await with_nursery([&l](nursery& n) -> task<> {
    auto a = n.start_soon(named("a child whose name is long", worker), std::ref(l), 1);
    auto b = n.start_soon(worker, std::ref(l), 2);
    n.start_service(worker, std::ref(l), 4);
    int sum = co_await a;
    sum += co_await b;
    l.result = sum;
  });
}

task<> serve_until_cancelled(task_status<int>& status, ledger& l) {
  const tracked here(l);
  co_await checkpoint();
  status.started(7);
  co_await sleep_forever();
}

task<> start_handshake(ledger& l) {
  co_await with_nursery([&l](nursery& n) -> task<> {
    const int one = co_await n.start(serve_until_cancelled, std::ref(l));
    const int two = co_await n.start(serve_until_cancelled, std::ref(l));
    l.result = one + two;
    n.cancel("that was all");
  });
}

task<> gather_and_race(ledger& l) {
  auto [a, b, c] = co_await gather(worker(l, 1), worker(l, 2), worker(l, 3));
  auto first = co_await race(worker(l, 900), worker(l, 4));
  auto settled = co_await gather_settled(worker(l, 5), worker(l, 6));
  l.result =
    a + b + c + std::get<1>(first) + std::get<0>(settled).value() + std::get<1>(settled).value();
}

task<> waiting_for_several(ledger& l) {
  co_await with_nursery([&l](nursery& n) -> task<> {
    std::vector<task_handle<int>> handles;
    for (int i = 1; i <= 3; ++i)
      handles.push_back(n.start_soon(worker, std::ref(l), i));
    as_completed<int> ended(handles);
    int sum = 0;
    while (auto h = co_await ended.next())
      sum += co_await *h;
    l.result = sum;
  });
}

task<> produce(ledger& l, send_channel<int> tx) {
  const tracked here(l);
  for (int i = 0; i < 12; ++i) {
    co_await tx.send(i);
    ++l.sent;
  }
}

task<> consume(ledger& l, receive_channel<int> rx) {
  const tracked here(l);
  while (auto value = co_await rx.next()) {
    l.out_of_order |= *value != l.received;
    ++l.received;
  }
}

task<> producer_and_consumer(ledger& l) {
  co_await with_nursery([&l](nursery& n) -> task<> {
    auto [tx, rx] = make_channel<int>(2);
    n.start_soon(produce, std::ref(l), std::move(tx));
    n.start_soon(consume, std::ref(l), std::move(rx));
    co_return;
  });
  l.result = l.received;
}

/// As `produce`, on another loop: the receiver may be gone before the cancellation is here.
task<> produce_afar(ledger& l, send_channel<int> tx) {
  try {
    co_await produce(l, std::move(tx));
  } catch (const broken_resource_error&) { // NOLINT(bugprone-empty-catch)
  }
}

task<> channel_between_loops(ledger& l) {
  co_await with_nursery([&l](nursery& n) -> task<> {
    auto [tx, rx] = make_channel<int>(2);
    n.start_on(1, produce_afar, std::ref(l), std::move(tx));
    n.start_soon(consume, std::ref(l), std::move(rx));
    co_return;
  });
  l.result = l.received;
}

task<> scopes_and_deadlines(ledger& l) {
  const auto began = current_time();
  const bool in_time = co_await move_on_after(5us, [&l]() -> task<> {
    const tracked here(l);
    co_await with_cancel_scope([&l](cancel_scope& inner) -> task<> {
      const tracked inside(l);
      inner.deadline(current_time() + 1h);
      co_await sleep_forever();
    });
  });
  l.early |= !in_time && current_time() - began < 5us;
  int result = in_time ? 0 : 1;
  try {
    co_await fail_after(5us, [&l]() -> task<> {
      const tracked here(l);
      co_await sleep_for(1h);
    });
  } catch (const timeout_error&) {
    ++result;
  }
  co_await shielded([&l]() -> task<> {
    const tracked here(l);
    co_await sleep_for(1us);
  });
  l.result = result;
}

task<> body_and_cleanup(ledger& l) {
  for (int round = 0; round < 2; ++round) {
    bool begun = false;
    try {
      co_await with_cleanup(
        [&l, &begun]() -> task<> {
          const tracked here(l);
          begun = true;
          ++l.opened;
          co_await sleep_for(1us);
          co_await checkpoint();
        },
        [&l, &begun]() -> task<> {
          const tracked here(l);
          co_await checkpoint();
          co_await sleep_for(1us);
          l.closed += std::exchange(begun, false) ? 1 : 0;
        });
    } catch (...) { // a clean-up that was not run, or not to its end, says so
      l.unknown += begun ? 1 : 0;
      throw;
    }
    ++l.result;
  }
}

task<> mapping(ledger& l) {
  const std::vector<int> numbers{1, 2, 3, 4, 5};
  const auto doubled = co_await map_concurrently(std::views::all(numbers), 2,
                                                 [&l](int x) { return worker(l, 2 * x); });
  for (const int x : doubled)
    l.result += x;
}

async_generator<int> numbers(ledger& l) {
  const tracked here(l);
  for (int i = 1; i <= 4; ++i) {
    co_await checkpoint();
    co_yield i;
  }
}

task<> generating(ledger& l) {
  auto all = numbers(l);
  int sum = 0;
  while (auto x = co_await all.next())
    sum += *x;
  auto some = numbers(l);
  sum += *co_await some.next();
  l.result = sum;
}

task<std::string> far_worker(ledger& l, std::string text) {
  const tracked here(l);
  co_await checkpoint();
  const tracked still_here(l);
  co_await checkpoint();
  co_return text + text;
}

task<> child_elsewhere(ledger& l) {
  co_await with_nursery([&l](nursery& n) -> task<> {
    auto a = n.start_on(1, far_worker, std::ref(l), std::string(100, 'a'));
    auto b = n.start_elsewhere(far_worker, std::ref(l), std::string(100, 'b'));
    const auto one = co_await a;
    l.result = static_cast<int>(one.size());
    l.result += static_cast<int>((co_await b).size());
  });
}

task<> sharing(ledger& l) {
  semaphore two(2);
  mutex lock;
  event go;
  int counter = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    for (int i = 0; i < 3; ++i)
      n.start_soon([&]() -> task<> {
        const tracked here(l);
        co_await go.wait();
        const auto permit = co_await two.acquire();
        const auto held = co_await lock.lock();
        const int before = counter;
        co_await checkpoint();
        counter = before + 1;
      });
    co_await checkpoint();
    go.set();
  });
  l.early |= two.value() != 2;
  l.result = counter;
}

task_local<std::string> who{"nobody"};

task<> locals_and_handlers(ledger& l) {
  int handled = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    n.on_error<std::runtime_error>([&](const std::runtime_error&) { ++handled; });
    const auto set = who.set("somebody with a long name");
    for (int i = 0; i < 2; ++i)
      n.start_soon([&l]() -> task<> {
        const tracked here(l);
        co_await checkpoint();
        if (who.get() == "somebody with a long name")
          throw std::runtime_error("as it should be");
      });
    co_return;
  });
  l.result = handled;
}

task<> echo(stream& peer) {
  std::array<std::byte, 8> buffer;
  while (const auto n = co_await peer.read_some(buffer))
    co_await peer.write_all(std::span(buffer).first(n));
}

task<> echo_over_loopback(ledger& l) {
  co_await with_nursery([&l](nursery& n) -> task<> {
    const listen_options loopback{.address = "127.0.0.1"};
    tcp_listener listener(0, loopback);
    const auto port = listener.port();
    n.start_service(
      [](ledger& of, tcp_listener at) -> task<> {
        const tracked here(of);
        tcp_stream peer = co_await at.accept();
        co_await echo(peer);
      },
      std::ref(l), std::move(listener));
    tcp_stream client = co_await open_tcp_stream("127.0.0.1", port);
    const std::string sent = "something to say";
    co_await client.write_all(sent);
    co_await client.send_eof();
    std::string got;
    std::array<std::byte, 5> buffer;
    while (const auto count = co_await client.read_some(buffer))
      got.append(reinterpret_cast<const char*>(buffer.data()), count);
    l.out_of_order |= !sent.starts_with(got);
    l.result = static_cast<int>(got.size());
  });
}

task<> calls_on_threads(ledger& l) {
  const auto job = [&l] {
    const tracked here(l);
    int sum = from_thread(
      [](ledger& of) -> task<int> {
        const tracked inside(of);
        co_await checkpoint();
        co_return 3;
      },
      std::ref(l));
    return sum + from_thread([] { return 4; });
  };
  int sum = co_await to_thread(job);
  capacity_limiter limiter(1);
  thread_options options{.limiter = &limiter, .name = "a name that is long enough"};
  sum += co_await to_thread(options, job);
  thread_pool pool(2);
  thread_options leaving{.pool = &pool, .abandon_on_cancel = true};
  sum += co_await to_thread(leaving, job);
  co_await with_nursery([&](nursery& n) -> task<> {
    for (int i = 0; i < 3; ++i)
      n.start_soon([&, leaving]() -> task<> { co_await to_thread(leaving, [] {}); });
    co_return;
  });
  l.result = sum;
}

task<> use_files(ledger& l) {
  // not one of each run: without memory it could not be removed
  static const troupe_test::temporary_directory directory;
  const tracked here(l);
  const auto path = directory / "a file";
  co_await replace_file(path, "one\ntwo\n");
  file f = co_await open_file(path, open_mode::read | open_mode::write);
  co_await f.write_at("O", 0);
  co_await f.sync_data();
  auto lines = f.lines();
  while (auto line = co_await lines.next())
    l.result += static_cast<int>(line->size());
  auto names = list_directory(directory.path());
  while (auto entry = co_await names.next())
    l.result += static_cast<int>((co_await path_info(entry->path)).size);
  co_await f.close();
}

task<> programs(ledger& l) {
  const tracked here(l);
  const auto r = co_await run_process(command("cat").input("hello"));
  co_await with_process(command("cat"), [&l](process& cat) -> task<> {
    const tracked inside(l);
    co_await cat.std_in().write_all("hello");
    co_await cat.std_in().close();
    l.received = l.sent = (co_await cat.wait()).success() ? 1 : 0;
  });
  l.out_of_order |= r.out != "hello";
  l.result = static_cast<int>(r.out.size());
}

task<> hearing_signals(ledger& l) {
  const tracked here(l);
  signal_receiver signals({SIGUSR1, SIGUSR2});
  std::raise(SIGUSR1);
  l.result = co_await signals.next() == SIGUSR1 ? 1 : 0;
}

task<> echo_over_tls(ledger& l) {
  static const tls_server_context server_context(troupe_test::certificates::file("server.crt"),
                                                 troupe_test::certificates::file("server.key"));
  static const tls_client_context client_context([] {
    auto o = troupe_test::client_options();
    o.resume = false; // what is kept for later is no leak
    return o;
  }());
  co_await with_nursery([&l](nursery& n) -> task<> {
    const listen_options loopback{.address = "127.0.0.1"};
    tcp_listener listener(0, loopback);
    const auto port = listener.port();
    n.start_service(
      [](ledger& of, tcp_listener at) -> task<> {
        const tracked here(of);
        tcp_stream accepted = co_await at.accept();
        tls_stream peer = co_await tls_accept(std::move(accepted), server_context);
        co_await echo(peer);
        co_await peer.close();
      },
      std::ref(l), std::move(listener));
    tls_stream client = co_await open_tls_stream("127.0.0.1", port, client_context);
    const std::string sent = "something to say";
    co_await client.write_all(sent);
    co_await client.send_eof();
    std::string got;
    std::array<std::byte, 5> buffer;
    while (const auto count = co_await client.read_some(buffer))
      got.append(reinterpret_cast<const char*>(buffer.data()), count);
    co_await client.close();
    l.out_of_order |= !sent.starts_with(got);
    l.result = static_cast<int>(got.size());
  });
}

constexpr std::array all{
  scenario{"children and results", 1, false, 3, children_and_results},
  scenario{"start handshake", 1, false, 14, start_handshake},
  scenario{"gather and race", 1, false, 21, gather_and_race},
  scenario{"waiting for several", 1, false, 6, waiting_for_several},
  scenario{"producer and consumer", 1, false, 12, producer_and_consumer},
  scenario{"channel between loops", 2, false, 12, channel_between_loops},
  scenario{"scopes and deadlines", 1, false, 2, scopes_and_deadlines},
  scenario{"body and clean-up", 1, false, 2, body_and_cleanup},
  scenario{"mapping", 1, false, 30, mapping},
  scenario{"generating", 1, false, 11, generating},
  scenario{"a child elsewhere", 2, false, 400, child_elsewhere},
  scenario{"sharing", 1, false, 3, sharing},
  scenario{"locals and handlers", 1, false, 2, locals_and_handlers},
  scenario{"calls on threads", 1, false, 21, calls_on_threads},
  scenario{"files", 1, false, 14, use_files},
  scenario{"echo over loopback", 1, true, 16, echo_over_loopback},
  scenario{"echo over TLS", 1, true, 16, echo_over_tls},
  scenario{"programs", 1, false, 5, programs},
  scenario{"hearing signals", 1, false, 1, hearing_signals},
};

} // namespace

std::span<const scenario> scenarios() noexcept { return all; }

} // namespace p24
