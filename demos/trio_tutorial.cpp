// SPDX-License-Identifier: BSD-3-Clause
// Trio's tutorial: a parent starts two children in a nursery and waits for both.
// Try: trio_tutorial
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>

using namespace troupe;
using namespace std::chrono_literals;

task<> child1() {
  std::cout << "  child1: started! sleeping now...\n";
  co_await sleep_for(1s);
  std::cout << "  child1: exiting!\n";
}

task<> child2() {
  std::cout << "  child2: started! sleeping now...\n";
  co_await sleep_for(1s);
  std::cout << "  child2: exiting!\n";
}

task<> parent() {
  std::cout << "parent: started!\n";
  co_await with_nursery([](nursery& n) -> task<> {
    std::cout << "parent: starting child1...\n";
    n.start_soon(child1);

    std::cout << "parent: starting child2...\n";
    n.start_soon(child2);

    std::cout << "parent: waiting for children to finish...\n";
    co_return; // the nursery ends when both have
  });
  std::cout << "parent: all done!\n";
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
