// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/testing.hpp>
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>

int main() {
  troupe::testing::run_virtually(
    []() -> troupe::task<> { co_await troupe::sleep_for(std::chrono::hours(24)); });
  std::cout << "all done\n";
}
