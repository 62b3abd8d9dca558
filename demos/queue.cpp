// SPDX-License-Identifier: BSD-3-Clause
// A queue that moves data between long-lived tasks. It is bounded: who is too fast
// waits. When all producers have ended, the consumer has heard it all and ends.
// Try: queue
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>
#include <string>

using namespace troupe;
using namespace std::chrono_literals;

task<> produce(std::string name, int count, send_channel<std::string> out) {
  for (int i = 1; i <= count; ++i) {
    co_await sleep_for(10ms);
    co_await out.send(name + " " + std::to_string(i));
  }
  std::cout << name << ": done\n";
} // its end of the queue closes here

task<> consume(receive_channel<std::string> in) {
  int received = 0;
  while (const auto item = co_await in.next()) {
    co_await sleep_for(5ms);
    std::cout << "got " << *item << '\n';
    ++received;
  }
  std::cout << "consumer: " << received << " items, all producers have ended\n";
}

task<> parent() {
  auto [out, in] = make_channel<std::string>(2);
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon(consume, std::move(in));
    n.start_soon(produce, "apples", 3, out.clone());
    n.start_soon(produce, "pears", 5, std::move(out));
    co_return;
  });
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
