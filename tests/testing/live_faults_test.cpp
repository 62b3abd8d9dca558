// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/live_faults.hpp>
#include <troupe/testing/simulation.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <caf/exit_reason.hpp>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

class planned_failure : public std::runtime_error {
public:
  planned_failure() : std::runtime_error("by plan") {}
};

run_options on_virtual_time(virtual_clock& time) {
  run_options o;
  o.loops = 1;
  o.time = &time;
  return o;
}

} // namespace

BOOST_AUTO_TEST_SUITE(live)

BOOST_AUTO_TEST_CASE(nothing_happens_until_a_plan_is_on_nor_when_it_is_off) {
  std::vector<std::string> log;
  live_faults trouble(1, [&log](const std::string& what) { log.push_back(what); });
  trouble.add("slow", {fails("worker", when::sometimes(1), planned_failure())});
  virtual_clock time;
  int failures = 0;
  run(on_virtual_time(time), [&]() -> task<> {
    const auto work = [&]() -> task<> {
      try {
        co_await sleep_for(1s);
      } catch (const planned_failure&) {
        ++failures;
      }
    };
    const auto once = [&]() -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon(named("worker", work));
        co_return;
      });
    };
    co_await once();
    BOOST_TEST(failures == 0);
    trouble.on("slow");
    BOOST_TEST(trouble.is_on("slow"));
    co_await once();
    BOOST_TEST(failures == 1);
    trouble.off("slow");
    co_await once();
    BOOST_TEST(failures == 1);
  });
  BOOST_TEST(log == std::vector<std::string>{"by plan, fails at checkpoint 1: worker"},
             boost::test_tools::per_element());
  BOOST_TEST(trouble.unmatched("slow") == "");
}

BOOST_AUTO_TEST_CASE(tasks_that_run_already_are_concerned) {
  live_faults trouble;
  trouble.add("end", {is_cancelled_at("old*", when::at(1))});
  virtual_clock time;
  run(on_virtual_time(time), [&]() -> task<> {
    int rounds = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon(named("old worker", [&]() -> task<> {
        for (;;) {
          co_await sleep_for(1s);
          ++rounds;
        }
      }));
      co_await sleep_for(10s + 500ms);
      trouble.on("end");
    });
    BOOST_TEST(rounds == 11);
  });
}

BOOST_AUTO_TEST_CASE(task_stalls_in_a_real_run) {
  live_faults trouble;
  trouble.add("stall", {stalls("worker", when::at(2), 1min)});
  trouble.on("stall");
  virtual_clock time;
  run(on_virtual_time(time), [&]() -> task<> {
    const auto begin = current_time();
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon(named("worker", []() -> task<> {
        for (int i = 0; i < 3; ++i)
          co_await sleep_for(1s);
      }));
      co_return;
    });
    BOOST_TEST((current_time() - begin == 62s));
  });
}

BOOST_AUTO_TEST_CASE(task_that_stalls_can_be_cancelled) {
  live_faults trouble;
  trouble.add("stall", {stalls("worker", when::at(1), 1min)});
  trouble.on("stall");
  virtual_clock time;
  run(on_virtual_time(time), [&]() -> task<> {
    const auto begin = current_time();
    co_await move_on_after(5s, [&]() -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon(named("worker", []() -> task<> {
          for (;;)
            co_await sleep_for(1s);
        }));
        co_return;
      });
    });
    BOOST_TEST((current_time() - begin == 1min)); // it does not run before
  });
}

BOOST_AUTO_TEST_CASE(messages_are_lost_and_late_in_a_real_run) {
  live_faults trouble;
  trouble.add("loss", {drops("collector", when::at(2)), delays("collector", when::at(3), 5s)});
  virtual_clock time;
  run(on_virtual_time(time), [&]() -> task<> {
    std::vector<int> seen;
    co_await with_nursery([&](nursery& n) -> task<> {
      const auto collect = [&](mailbox& in) -> task<> {
        co_await move_on_after(
          30s, [&]() -> task<> { co_await in.serve([&](int i) { seen.push_back(i); }); });
      };
      const caf::actor to = n.start_actor(named("collector", collect)).address();
      trouble.on("loss");
      for (int i = 1; i <= 3; ++i)
        send(to, i);
      trouble.off("loss"); // what is under way still comes late, and once
      for (int i = 4; i <= 6; ++i)
        send(to, i);
      co_return;
    });
    BOOST_TEST(seen == (std::vector<int>{1, 4, 5, 6, 3}), boost::test_tools::per_element());
  });
}

BOOST_AUTO_TEST_CASE(switched_by_other_threads_while_loops_run) {
  std::atomic<int> struck{0};
  live_faults trouble(0, [&struck](const std::string&) { ++struck; });
  trouble.add("fails", {fails("worker", when::sometimes(0.01), planned_failure())});
  trouble.add("late",
              {stalls("worker", when::sometimes(0.001), 100us), drops("sink", when::sometimes(0.5)),
               delays("sink", when::sometimes(0.1), 10us)});
  std::atomic<bool> over{false};
  std::thread switches([&] {
    for (int i = 0; !over || i < 20; ++i) {
      const std::string name = i % 3 == 0 ? "fails" : "late";
      trouble.on(name);
      for (int k = 0; k < 100; ++k)
        std::this_thread::yield();
      trouble.off(name);
    }
  });
  run(run_options{.loops = 3}, [&]() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      const auto swallow = [](mailbox& in) -> task<> { co_await in.serve([](int) {}); };
      const caf::actor sink = n.start_actor_on(1, named("sink", swallow)).address();
      const auto work = [sink]() -> task<> {
        for (int i = 0; i < 3000; ++i) {
          try {
            co_await checkpoint();
          } catch (const planned_failure&) {
          }
          send(sink, i);
        }
      };
      co_await with_nursery([&](nursery& workers) -> task<> {
        for (unsigned i = 0; i < 12; ++i)
          workers.start_on(i % 3, named("worker", work));
        co_return;
      });
      n.cancel();
    });
    // until something has struck, however slow the machine is
    while (struck == 0)
      co_await with_nursery([](nursery& n) -> task<> {
        n.start_soon(named("worker", []() -> task<> {
          try {
            for (int i = 0; i < 100; ++i)
              co_await checkpoint();
          } catch (const planned_failure&) {
          }
        }));
        co_return;
      });
  });
  over = true;
  switches.join();
  BOOST_TEST(struck > 0);
}

BOOST_AUTO_TEST_CASE(simulated_runs_are_not_concerned) {
  live_faults trouble;
  trouble.add("all", {fails("*", when::sometimes(1), planned_failure())});
  trouble.on("all");
  const auto r = simulate(1, []() -> task<> { co_await sleep_for(1s); });
  BOOST_TEST(r.why() == "");
  BOOST_TEST(trouble.unmatched("all") == "*");
}

BOOST_AUTO_TEST_CASE(plan_that_is_wrong_is_an_error) {
  live_faults trouble;
  trouble.add("one", {drops("a", when::at(1))});
  BOOST_CHECK_THROW(trouble.add("one", {}), usage_error);
  BOOST_CHECK_THROW(trouble.add("two", {drops("a", when{})}), usage_error);
  BOOST_CHECK_THROW(trouble.add("three", {crashes("a", when::at(1), 1s)}), usage_error);
  BOOST_CHECK_THROW(trouble.on("other"), usage_error);
  BOOST_CHECK_THROW(trouble.off("other"), usage_error);
  BOOST_CHECK_THROW(static_cast<void>(trouble.is_on("other")), usage_error);
  BOOST_TEST(trouble.names() == std::vector<std::string>{"one"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
