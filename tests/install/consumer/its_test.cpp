// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/testing.hpp>
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>

int main() {
  troupe::testing::run_virtually(
    []() -> troupe::task<> { co_await troupe::sleep_for(std::chrono::hours(24)); });

  const auto reads_the_clock = []() -> troupe::task<> {
    static_cast<void>(std::chrono::steady_clock::now());
    co_await troupe::checkpoint();
  };
  if (!troupe::testing::simulate(1, reads_the_clock).failed())
    std::cout << "simulated, the machine's clock could be read\n";
  else
    std::cout << "all done\n";
}
