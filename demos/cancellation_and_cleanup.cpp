// SPDX-License-Identifier: BSD-3-Clause
// Cancellation: what runs when a task is cut off, and clean-up that has to wait.
// Try: cancellation_and_cleanup
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>
#include <string>

using namespace troupe;
using namespace std::chrono_literals;

// Opened and closed as Python's "async with" does it: opening is a coroutine,
// closing is the clean-up of with_cleanup.
struct connection {
  std::string host;
};

task<connection> connect(std::string host) {
  co_await sleep_for(10ms);
  std::cout << "connected to " << host << '\n';
  co_return connection{host};
}

task<> say_goodbye(connection& c) {
  co_await sleep_for(10ms); // shielded: this wait is not cancelled
  std::cout << "closed " << c.host << '\n';
}

struct guard {
  ~guard() { std::cout << "destructor: runs, though the task was cut off\n"; }
};

task<> worker() {
  const guard g;
  connection c = co_await connect("localhost");
  co_await with_cleanup(
    []() -> task<> {
      try {
        co_await sleep_forever();
      } catch (...) { // cancellation is not an exception: nothing arrives here
        std::cout << "never printed\n";
      }
    },
    [&]() -> task<> {
      if (const auto* reason = current_cancel_reason())
        std::cout << "clean-up: " << to_string(*reason) << '\n';
      co_await say_goodbye(c);
    });
  std::cout << "never printed\n";
}

task<> parent() {
  co_await with_nursery([](nursery& n) -> task<> {
    auto one = n.start_soon(worker);
    co_await sleep_for(100ms);
    one.cancel("enough");
    try {
      co_await one;
    } catch (const task_cancelled& e) {
      std::cout << "the handle says: " << e.what() << '\n';
    }
  });
  std::cout << "parent: done\n";
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
