// SPDX-License-Identifier: BSD-3-Clause
// A blocking call in a process executor: worker processes compute while the loop goes on,
// and one that crashes takes nobody with it.
// Try: process_pool
#include <troupe/troupe.hpp>

#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>

using namespace troupe;
using namespace std::chrono_literals;

// -- what runs in the workers --------------------------------------------------------

std::uint64_t count_primes(std::uint64_t from, std::uint64_t to) {
  std::uint64_t count = 0;
  for (auto n = from; n < to; ++n) {
    bool prime = n > 1;
    for (std::uint64_t d = 2; prime && d * d <= n; ++d)
      prime = n % d != 0;
    count += prime ? 1 : 0;
  }
  return count;
}

int divide(int a, int b) {
  if (b == 0)
    throw std::domain_error("nothing can be divided by 0");
  return a / b;
}

void crash() {
  const rlimit no_core{};
  ::setrlimit(RLIMIT_CORE, &no_core);
  std::abort();
}

const process_function primes("primes", count_primes);
const process_function division("division", divide);
const process_function bug("bug", crash);

// -- what runs here ------------------------------------------------------------------

task<> tick(int& ticks) {
  for (;;) {
    co_await sleep_for(1ms);
    ++ticks;
  }
}

task<> work(process_pool& pool) {
  int ticks = 0;
  std::uint64_t sum = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_service(tick, std::ref(ticks));
    constexpr std::uint64_t part = 100'000;
    for (std::uint64_t i = 0; i < 4; ++i)
      n.start_soon(
        [&](std::uint64_t from) -> task<> { sum += co_await pool.run(primes, from, from + part); },
        i* part);
    co_return;
  });
  std::cout << sum << " primes below 400000; the loop " << (ticks > 0 ? "went on" : "was held")
            << " meanwhile\n";
  try {
    co_await pool.run(division, 1, 0);
  } catch (const process_function_error& e) {
    std::cout << e.what() << '\n';
  }
  try {
    co_await pool.run(bug);
  } catch (const worker_died& e) {
    std::cout << e.what() << '\n';
  }
  std::cout << "6 / 3 = " << co_await pool.run(division, 6, 3) << ", after all that\n";
}

task<> parent() { co_await with_process_pool(process_pool_options{.size = 2}, work); }

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
