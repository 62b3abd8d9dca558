// SPDX-License-Identifier: BSD-3-Clause
// Generators that await between two values, closed where they go out of scope.
// Try: async_generators
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

task<std::string> get_value(std::string key) {
  co_await sleep_for(10ms);
  co_return key + " has a value";
}

struct connection {
  connection() { std::cout << "connected\n"; }
  ~connection() { std::cout << "disconnected\n"; }
};

async_generator<std::string> one_at_a_time(std::vector<std::string> keys) {
  const connection c; // lives as long as the generator
  for (const std::string& key : keys) {
    std::string value = co_await get_value(key);
    co_yield std::move(value);
  }
}

task<> parent() {
  const std::vector<std::string> keys = {"Americas", "Africa", "Europe", "Asia"};
  {
    auto values = one_at_a_time(keys);
    while (const auto value = co_await values.next())
      std::cout << *value << '\n';
    std::cout << "all read\n";
  }
  {
    auto values = one_at_a_time(keys);
    std::cout << *co_await values.next() << '\n';
    std::cout << "leaving early\n";
  } // closed here, not some time later
  std::cout << "done\n";
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
