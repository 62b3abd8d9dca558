// SPDX-License-Identifier: BSD-3-Clause
// Blocking calls and computing beside tasks: default pool, own pool, CPU pool, giving up.
// Try: ./dev demo blocking_calls
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>
#include <thread>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

/// What a library offers that knows nothing of tasks.
int ask_slowly(int question) {
  std::this_thread::sleep_for(200ms);
  return question + 1;
}

long count_primes(long below) {
  long n = 0;
  for (long i = 2; i < below; ++i) {
    bool prime = true;
    for (long k = 2; k * k <= i && prime; ++k)
      prime = i % k != 0;
    n += prime;
  }
  return n;
}

/// Shows that the loop is not blocked.
task<> tick() {
  for (;;) {
    co_await sleep_for(50ms);
    std::cout << "  tick" << std::endl;
  }
}

/// Reports to the task that waits for it, and ends when that is cancelled.
void download() {
  for (int percent = 0;; percent += 10) {
    from_thread([](int p) { std::cout << "downloaded " << p << " %" << std::endl; }, percent);
    std::this_thread::sleep_for(30ms);
    from_thread_check_cancelled();
  }
}

task<> work() {
  std::cout << "default pool: " << co_await to_thread(ask_slowly, 41) << std::endl;

  thread_pool pool(2, {.name = "mine"});
  thread_options mine{.pool = &pool};
  const auto begin = current_time();
  co_await with_nursery([&](nursery& n) -> task<> {
    for (int i = 0; i < 4; ++i)
      n.start_soon(
        [&, mine]() -> task<> { static_cast<void>(co_await to_thread(mine, ask_slowly, 1)); });
    co_return;
  });
  const bool in_turn = current_time() - begin >= 400ms;
  std::cout << "own pool: 4 calls on " << pool.threads() << " threads"
            << (in_turn ? ", two at a time" : "") << std::endl;

  thread_options computing{.pool = &cpu_pool()};
  std::cout << "cpu pool: " << co_await to_thread(computing, count_primes, 100'000L)
            << " primes below 100000" << std::endl;

  const bool finished =
    co_await move_on_after(100ms, []() -> task<> { co_await to_thread(download); });
  std::cout << "download " << (finished ? "done" : "stopped") << std::endl;

  thread_options impatient{.abandon_on_cancel = true};
  const bool answered = co_await move_on_after(
    100ms, [&]() -> task<> { static_cast<void>(co_await to_thread(impatient, ask_slowly, 7)); });
  std::cout << (answered ? "answered" : "no answer, and not waited for") << std::endl;
}

task<> parent() {
  co_await with_nursery([](nursery& n) -> task<> {
    n.start_soon(tick);
    co_await work();
    n.cancel("all is done");
  });
}

} // namespace

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
