// SPDX-License-Identifier: BSD-3-Clause
// Time limits: give up quietly, give up with an error, nest, and move a deadline.
// Try: timeouts
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>
#include <optional>

using namespace troupe;
using namespace std::chrono_literals;

task<int> slow_answer(duration how_long) {
  co_await sleep_for(how_long);
  co_return 42;
}

task<> parent() {
  // move_on_after: nothing, if the time is over
  const std::optional<int> late = co_await move_on_after(50ms, [] { return slow_answer(10s); });
  std::cout << "move_on_after: " << (late ? "an answer" : "no answer, moving on") << '\n';

  const std::optional<int> early = co_await move_on_after(10s, [] { return slow_answer(10ms); });
  std::cout << "move_on_after: " << early.value() << '\n';

  // fail_after: an error that names the scope
  try {
    co_await fail_after(
      50ms, [] { return slow_answer(10s); }, "asking for the answer");
  } catch (const timeout_error& e) {
    std::cout << "fail_after: " << e.what() << '\n';
  }

  // nested: the nearest deadline counts, and only its own scope is left
  co_await move_on_after(10s, []() -> task<> {
    co_await move_on_after(20ms, []() -> task<> { co_await sleep_forever(); });
    std::cout << "nested: the inner scope has ended, the outer goes on\n";
  });

  // a deadline can be moved from inside, here each time that there was progress
  const bool done = co_await with_cancel_scope([](cancel_scope& scope) -> task<> {
    for (int step = 1; step <= 5; ++step) {
      scope.deadline(current_time() + 1s);
      co_await sleep_for(20ms);
    }
  });
  std::cout << "moved deadline: " << (done ? "five steps done" : "too slow") << '\n';
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
