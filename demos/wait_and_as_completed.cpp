// SPDX-License-Identifier: BSD-3-Clause
// Looking at tasks that run: until the first has ended, and one by one as they end.
// Try: wait_and_as_completed
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

task<int> answer(int after) {
  co_await sleep_for(after * 1ms);
  co_return after;
}

task<> parent() {
  co_await with_nursery([](nursery& n) -> task<> {
    std::vector<task_handle<int>> running;
    for (const int after : {150, 50, 250})
      running.push_back(n.start_soon(answer, after));

    const auto first = co_await wait(running, wait_until::first_completed);
    std::cout << "wait: " << first.done.size() << " done, " << first.pending.size() << " pending\n";

    as_completed in_order(running, 10s);
    while (const auto next = co_await in_order.next())
      std::cout << "as_completed: " << co_await *next << '\n';

    const auto late = n.start_soon(answer, 3'600'000);
    const auto none = co_await wait(std::vector(1, late), wait_until::all_completed, 50ms);
    std::cout << "wait with a time limit: " << none.pending.size() << " pending\n";
    late.cancel();
  });
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
