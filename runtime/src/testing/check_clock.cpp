// SPDX-License-Identifier: BSD-3-Clause
#include "rules.hpp"

#include <troupe/nursery.hpp>
#include <troupe/testing/check_clock.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

namespace troupe::testing {

namespace {

using namespace std::chrono_literals;

std::string in_ns(duration d) {
  return std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(d).count()) + " ns";
}

task<> time_runs_forwards() {
  time_point last = current_time();
  for (int i = 0; i < 200; ++i) {
    if (i % 20 == 0)
      co_await sleep_for(50us);
    else
      co_await checkpoint();
    const time_point now = current_time();
    require(now >= last, "it runs back by " + in_ns(last - now));
    last = now;
  }
}

task<> time_is_one_on_all_loops() {
  co_await with_nursery([](nursery& n) -> task<> {
    time_point last = current_time();
    for (unsigned loop = 0; loop < 8; ++loop) {
      const time_point there = co_await n.start_on(loop, []() -> task<time_point> {
        co_await checkpoint();
        co_return current_time();
      });
      require(there >= last, "it is earlier on another loop, by " + in_ns(last - there));
      last = current_time();
      require(last >= there, "it is later on another loop, by " + in_ns(there - last));
    }
  });
}

task<> sleeps_are_not_early() {
  for (const duration d : {0ns, 1ns, 1000ns, 100'000ns, 1'000'000ns, 3'000'001ns}) {
    const time_point begin = current_time();
    co_await sleep_for(d);
    const time_point woken = current_time();
    require(woken - begin >= d, "a sleep of " + in_ns(d) + " ends after " + in_ns(woken - begin));
    co_await sleep_until(woken + d);
    require(current_time() >= woken + d, "a sleep ends before its time");
  }
}

task<> past_is_a_checkpoint() {
  for (const time_point when : {current_time(), current_time() - 1ns, time_point::min()}) {
    co_await sleep_until(when);
    const auto sleep = [when]() -> task<> { co_await sleep_until(when); };
    const bool returned = co_await returns_when_cancelled(sleep);
    require(!returned, "a sleep until a time that has passed is no checkpoint");
  }
}

task<> sleepers_wake_in_order() {
  for (duration lead = 1ms;; lead *= 4) {
    std::vector<int> woken;
    std::vector<int> expected;
    bool late = false; // the machine is too busy for this lead
    co_await with_nursery([&](nursery& n) -> task<> {
      const time_point begin = current_time() + lead;
      for (int i = 0; i < 200; ++i) {
        const int place = i * 37 % 20; // ten of each
        expected.push_back(place * 1000 + i);
        n.start_soon([&woken, &late, begin, i, place]() -> task<> {
          late = late || current_time() >= begin;
          co_await sleep_until(begin + place * 50us);
          woken.push_back(place * 1000 + i);
        });
      }
      co_return;
    });
    if (late)
      continue;
    std::sort(expected.begin(), expected.end());
    require(woken == expected, "sleepers do not wake in the order of their deadlines, and those of "
                               "one deadline in the order they came");
    co_return;
  }
}

task<> deadlines_are_not_early() {
  const time_point begin = current_time();
  const bool ended = co_await move_on_after(2ms, []() -> task<> {
    const bool inner = co_await move_on_after(1h, []() -> task<> { co_await sleep_for(24h); });
    require(inner, "a deadline in an hour has passed");
  });
  require(!ended, "a deadline does not cut a sleep off");
  require(current_time() - begin >= 2ms, "a deadline is early");
  const bool tight = co_await move_on_after(1h, []() -> task<> {
    const bool inner = co_await move_on_after(1ms, []() -> task<> { co_await sleep_forever(); });
    require(!inner, "a sleep for ever ends");
  });
  require(tight, "the tightest deadline does not win");
}

task<> cancelled_sleeps_are_gone() {
  co_await with_nursery([](nursery& n) -> task<> {
    std::vector<task_handle<void>> sleepers;
    sleepers.reserve(100);
    for (int i = 0; i < 100; ++i)
      sleepers.push_back(n.start_soon([i]() -> task<> { co_await sleep_for(1ms + i * 1us); }));
    co_await wait_all_tasks_blocked();
    for (std::size_t i = 0; i < sleepers.size(); i += 2)
      sleepers[i].cancel();
    co_await wait_all_tasks_blocked();
    for (std::size_t i = 0; i < sleepers.size(); i += 2)
      require(sleepers[i].done(), "a sleep cannot be cancelled");
    co_await sleep_for(2ms);
    for (const auto& s : sleepers)
      require(s.done(), "a sleep goes on after its time");
  });
}

struct clock_rule {
  const char* says;
  task<> (*holds)();
};

constexpr clock_rule clock_rules[] = {
  {"time does not run backwards", time_runs_forwards},
  {"time is one on all loops", time_is_one_on_all_loops},
  {"a sleep is not early", sleeps_are_not_early},
  {"a sleep until the past is a checkpoint", past_is_a_checkpoint},
  {"sleepers wake in order", sleepers_wake_in_order},
  {"a deadline is not early, and the tightest wins", deadlines_are_not_early},
  {"a sleep that is cancelled is gone", cancelled_sleeps_are_gone},
};

} // namespace

task<> check_clock() {
  for (const clock_rule& rule : clock_rules)
    co_await check_rule("check_clock", rule.says, 10s, rule.holds);
}

} // namespace troupe::testing
