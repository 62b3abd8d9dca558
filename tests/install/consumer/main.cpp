// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/troupe.hpp>

#include <iostream>
#include <string>

troupe::task<> child(std::string name) {
  std::cout << name << ": started\n";
  co_await troupe::sleep_for(std::chrono::milliseconds(1));
}

troupe::task<> parent() {
  co_await troupe::with_nursery([](troupe::nursery& n) -> troupe::task<> {
    n.start_soon(child, "child1");
    n.start_soon(child, "child2");
    co_return;
  });
  std::cout << "all done\n";
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
