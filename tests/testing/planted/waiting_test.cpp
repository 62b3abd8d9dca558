// SPDX-License-Identifier: BSD-3-Clause
// Bugs in copies of demos/gather.cpp and demos/timeouts.cpp.
#include "planted.hpp"

#include <chrono>
#include <optional>
#include <vector>

using namespace planted;

namespace {

/// demos/gather.cpp. Planted: of all outcomes, those that are failures are passed over.
namespace gather_demo {

task<int> slow_sum(int x, int y) {
  const int result = x + y;
  co_await sleep_for(result * 10ms);
  co_return result;
}

task<> parent(bool planted) {
  std::vector<task<int>> calls;
  for (int i = 1; i <= 4; ++i)
    calls.push_back(slow_sum(i, i));
  int total = 0;
  bool reported = false;
  for (const auto& sum : co_await gather_settled(std::move(calls)))
    if (!sum.failed())
      total += sum.value();
    else if (!planted)
      reported = true;
  demand(reported || total == 20, "the total is wrong, and nobody was told");
}

} // namespace gather_demo

/// demos/timeouts.cpp, where who answers is on another loop, and has to be paid. Planted: what came
/// when the time was over is thrown away.
namespace timeouts_demo {

task<int> slow_answer(duration how_long, int& given) {
  co_await sleep_for(how_long);
  ++given; // who asks has to pay
  co_return 42;
}

task<> parent(bool planted) {
  int given = 0;
  int taken = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    const auto asked = n.start_on(1, slow_answer, 50ms, std::ref(given));
    const std::optional<int> late =
      co_await move_on_after(50ms, [&]() -> task<int> { co_return co_await asked; });
    if (late) {
      ++taken;
      co_return;
    }
    asked.cancel("too late");
    try {
      static_cast<void>(co_await asked);
      if (!planted)
        ++taken; // it was there in time
    } catch (const task_cancelled&) {
    }
  });
  demand(given == taken, "an answer was given, and taken for late");
}

} // namespace timeouts_demo

} // namespace

BOOST_AUTO_TEST_SUITE(planted_bugs)

BOOST_AUTO_TEST_CASE(swallowed_exception) {
  bug b{"swallowed exception", gather_demo::parent, "nobody was told"};
  b.how.faults = {fails("*slow_sum*", when::sometimes(0.1), std::runtime_error("no result"))};
  is_found(b);
}

BOOST_AUTO_TEST_CASE(time_out_race) {
  is_found({"time-out race", timeouts_demo::parent, "taken for late"});
}

BOOST_AUTO_TEST_SUITE_END()
