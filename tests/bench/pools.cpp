// SPDX-License-Identifier: BSD-3-Clause
// What a lease of a connection pool costs, beside passing a value through a channel: bench_pools.
#include "meter.hpp"

#include <troupe/actors/connection_pool.hpp>
#include <troupe/troupe.hpp>

#include <cstdlib>
#include <string_view>

using namespace troupe;

namespace {

/// Lends the same connection again and again.
task<> leases(long n) {
  connection_functions<int> functions;
  functions.open = []() -> task<int> { co_return 1; };

  connection_pool_options options;
  co_await with_connection_pool(options, functions, [&](connection_pool<int>& pool) -> task<> {
    { const auto warm = co_await pool.borrow(); }
    long sum = 0;
    const bench::meter m("troupe");
    for (long i = 0; i < n; ++i) {
      auto one = co_await pool.borrow();
      sum += *one;
    }
    m.report("p1", static_cast<double>(n));
    if (sum != n)
      std::abort();
  });
}

/// Ten tasks share two connections, so that each waits for its turn.
task<> crowd(long n) {
  connection_functions<int> functions;
  functions.open = []() -> task<int> { co_return 1; };
  connection_pool_options options;
  options.max = 2;
  co_await with_connection_pool(options, functions, [&](connection_pool<int>& pool) -> task<> {
    const bench::meter m("troupe");
    co_await with_nursery([&](nursery& group) -> task<> {
      for (int i = 0; i < 10; ++i)
        group.start_soon([&]() -> task<> {
          for (long k = 0; k < n / 10; ++k) {
            auto one = co_await pool.borrow();
            co_await checkpoint();
          }
        });
      co_return;
    });
    m.report("p2", static_cast<double>(n));
  });
}

/// Passes a value there and back through two channels of one.
task<> hand_offs(long n) {
  auto a = make_channel<int>(1);
  auto b = make_channel<int>(1);
  const bench::meter m("channel");
  co_await with_nursery([&](nursery& group) -> task<> {
    group.start_soon([&]() -> task<> {
      for (long i = 0; i < n; ++i)
        co_await b.tx.send(co_await a.rx.receive());
    });
    for (long i = 0; i < n; ++i) {
      co_await a.tx.send(1);
      if (co_await b.rx.receive() != 1)
        std::abort();
    }
  });
  m.report("p1", 2.0 * static_cast<double>(n));
  m.report("p2", 2.0 * static_cast<double>(n));
}

} // namespace

int main(int argc, char** argv) {
  const std::string_view test = argc > 1 ? argv[1] : "";
  const long n = argc > 2 ? std::atol(argv[2]) : 2'000'000;
  const auto measure = [&](task<> (*fn)(long)) {
    run(run_options{.loops = 1}, [&]() -> task<> { co_await fn(n); });
  };
  if (test.empty() || test == "leases")
    measure(leases);
  if (test.empty() || test == "crowd")
    measure(crowd);
  if (test.empty() || test == "channel")
    measure(hand_offs);
}
