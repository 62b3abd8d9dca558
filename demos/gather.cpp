// SPDX-License-Identifier: BSD-3-Clause
// Waiting for results in parallel: gather, with a time limit, and with failures kept.
// Try: gather
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>
#include <stdexcept>

using namespace troupe;
using namespace std::chrono_literals;

task<int> slow_sum(int x, int y) {
  const int result = x + y;
  co_await sleep_for(result * 10ms);
  co_return result;
}

task<int> fails() {
  co_await sleep_for(10ms);
  throw std::runtime_error("no result");
}

task<> parent() {
  const auto [one, two] = co_await gather(slow_sum(1, 1), slow_sum(2, 2));
  std::cout << "gather: [" << one << ", " << two << "]\n";

  try {
    co_await wait_for(slow_sum(1000, 1000), 50ms, "a large sum");
  } catch (const timeout_error& e) {
    std::cout << "wait_for: " << e.what() << '\n';
  }

  // fails fast: the first failure cancels the others and is thrown
  try {
    co_await gather(slow_sum(1000, 1000), fails());
  } catch (const std::runtime_error& e) {
    std::cout << "gather: " << e.what() << '\n';
  }

  // all outcomes, as asyncio's return_exceptions
  const auto [good, bad] = co_await gather_settled(slow_sum(1, 2), fails());
  std::cout << "gather_settled: " << good.value() << ", and a failure: " << bad.failed() << '\n';
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
