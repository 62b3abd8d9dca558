// SPDX-License-Identifier: BSD-3-Clause
// The floor: the coroutines of 1a, 1b and 2 made, resumed and destroyed by hand, without
// a runtime: floor TEST.
#include "../meter.hpp"

#include <coroutine>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

struct by_hand {
  struct promise_type {
    by_hand get_return_object() {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const { std::abort(); }
  };
  std::coroutine_handle<promise_type> frame;
};

long counter = 0;

by_hand child() {
  ++counter;
  co_return;
}

by_hand yielding_child() {
  co_await std::suspend_always();
  ++counter;
}

by_hand yield_often(long n) {
  for (long i = 0; i < n; ++i)
    co_await std::suspend_always();
}

void spawn(by_hand (*fn)(), const char* test) {
  const bench::meter m("floor");
  std::vector<by_hand> group(1000);
  for (int batch = 0; batch < 1000; ++batch) {
    for (by_hand& c : group)
      c = fn();
    for (by_hand& c : group)
      c.frame.resume();
    for (by_hand& c : group) {
      if (!c.frame.done())
        c.frame.resume();
      c.frame.destroy();
    }
  }
  m.report(test, 1e6);
  if (counter != 1'000'000)
    std::abort();
}

void yields() {
  const bench::meter m("floor");
  const by_hand a = yield_often(2'500'000), b = yield_often(2'500'000);
  while (!a.frame.done()) {
    a.frame.resume();
    b.frame.resume();
  }
  m.report("2", 5e6);
  a.frame.destroy();
  b.frame.destroy();
}

} // namespace

int main(int argc, char** argv) {
  const std::string test = argc > 1 ? argv[1] : "";
  if (test == "1a")
    spawn(child, "1a");
  else if (test == "1b")
    spawn(yielding_child, "1b");
  else if (test == "2")
    yields();
  else {
    std::fprintf(stderr, "floor: 1a, 1b or 2, not '%s'\n", test.c_str());
    return 2;
  }
}
