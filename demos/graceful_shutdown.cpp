// SPDX-License-Identifier: BSD-3-Clause
// Shutting down: soft, then hard. Each request is finished if it can be within the
// grace; what is left is cancelled. Ctrl-C cancels at once, with clean-up.
// Try: graceful_shutdown            or: graceful_shutdown forever, and press Ctrl-C
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

task<> worker(std::string name, duration request) {
  co_await with_cleanup(
    [&]() -> task<> {
      while (!is_stopping()) // between two requests
        co_await sleep_for(request);
      std::cout << name << ": has finished its request" << std::endl;
    },
    [&]() -> task<> {
      if (const auto* reason = current_cancel_reason())
        std::cout << name << ": cut off, " << to_string(*reason) << std::endl;
      else
        std::cout << name << ": closed" << std::endl;
      co_return;
    });
}

task<> parent(std::vector<std::string> args) {
  const bool forever = args.size() > 1 && args[1] == "forever";
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon(named("quick", worker), "quick", 20ms);
    n.start_soon(named("slow", worker), "slow", 1h);
    std::cout << "working" << (forever ? ", press Ctrl-C" : "") << std::endl;
    if (forever)
      co_await sleep_forever();
    co_await sleep_for(50ms);
    std::cout << "stopping: 200 ms of grace" << std::endl;
    n.stop(200ms, "end of the demo");
  });
  std::cout << "all ended" << std::endl;
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
