// SPDX-License-Identifier: BSD-3-Clause
#include "support/contains.hpp"
#include "testing/seed_variable.hpp"

#include <troupe/testing/explore.hpp>
#include <troupe/testing/test_failure.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using troupe_test::contains;
using troupe_test::seed_variable;

namespace {

/// Cannot live with a message that comes twice; all else is no matter.
task<> counts_twice() {
  int seen = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    const auto count = [&](mailbox& in) -> task<> {
      co_await move_on_after(1min, [&]() -> task<> { co_await in.serve([&](int) { ++seen; }); });
    };
    const caf::actor to = n.start_actor(named("counter", count)).address();
    n.start_soon(named("worker", []() -> task<> {
      for (int i = 0; i < 5; ++i)
        co_await sleep_for(1s);
    }));
    for (int i = 0; i < 3; ++i) {
      send(to, i);
      co_await sleep_for(1s);
    }
  });
  if (seen > 3)
    throw std::runtime_error("counted twice");
}

explore_options with_a_long_plan() {
  explore_options o;
  o.simulation.faults = {
    stalls("worker", when::sometimes(0.5), 1s),    delays("counter", when::sometimes(0.5), 10ms),
    stalls("counter", when::sometimes(0.5), 1s),   duplicates("counter", when::sometimes(0.3)),
    reorders("counter", when::sometimes(0.5), 1s), is_cancelled_at("worker", when::at(4)),
  };
  return o;
}

} // namespace

BOOST_AUTO_TEST_SUITE(fault_shrinking)

BOOST_AUTO_TEST_CASE(only_the_faults_that_are_needed_are_left) {
  const exploration e = explore(counts_twice, 200, with_a_long_plan());
  BOOST_TEST_REQUIRE(e.failure.has_value());
  BOOST_TEST_REQUIRE(e.simplest.has_value());
  BOOST_TEST(e.needless == (std::vector<std::size_t>{0, 1, 2, 4, 5}),
             boost::test_tools::per_element());
  BOOST_TEST(
    contains(e.text(), "does without these faults of the plan, counted from 0: 0 1 2 4 5"));
  BOOST_TEST(contains(e.replay, "~0,1,2,4,5"));
  BOOST_TEST(e.simplest->log.find("stalls") == std::string::npos);

  const seed_variable again(e.replay);
  const exploration same = explore(counts_twice, 200, with_a_long_plan());
  BOOST_TEST_REQUIRE(same.failure.has_value());
  BOOST_TEST(same.failure->hash == e.simplest->hash);
}

BOOST_AUTO_TEST_CASE(replay_without_faults_that_are_not_in_the_plan_is_an_error) {
  const seed_variable wrong("1~0,9");
  BOOST_CHECK_EXCEPTION(
    static_cast<void>(explore(counts_twice, 1, with_a_long_plan())), test_failure,
    [](const auto& e) { return contains(e.what(), "leaves out fault 9 of a plan that has 6"); });
}

BOOST_AUTO_TEST_CASE(replay_that_makes_no_sense_is_an_error) {
  for (const char* text : {"1~", "1~x", "~1", "1~0,@"}) {
    const seed_variable wrong(text);
    BOOST_CHECK_THROW(static_cast<void>(explore(counts_twice, 1, with_a_long_plan())),
                      test_failure);
  }
}

BOOST_AUTO_TEST_CASE(replay_of_a_plan_that_has_changed_is_an_error) {
  const exploration e = explore(counts_twice, 200, with_a_long_plan());
  const seed_variable again(e.replay);
  explore_options other = with_a_long_plan();
  other.simulation.faults[3].at.chance = 0.31;
  BOOST_CHECK_EXCEPTION(static_cast<void>(explore(counts_twice, 200, other)), test_failure,
                        [](const auto& x) { return contains(x.what(), "this is not the run"); });
}

BOOST_AUTO_TEST_CASE(chances_of_a_fault_do_not_depend_on_the_others) {
  simulation_options alone;
  alone.order = schedule::in_turn;
  alone.faults = {drops("counter", when::sometimes(0.5))};
  simulation_options among = alone;
  among.faults.insert(among.faults.begin(), duplicates("counter", when::sometimes(0.001)));
  int seen = 0;
  const auto program = [&seen]() -> task<> {
    seen = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      const auto count = [&](mailbox& in) -> task<> {
        co_await move_on_after(1min, [&]() -> task<> { co_await in.serve([&](int) { ++seen; }); });
      };
      const caf::actor to = n.start_actor(named("counter", count)).address();
      for (int i = 0; i < 10; ++i)
        send(to, i);
      co_return;
    });
  };
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    simulate(seed, program, alone).value();
    const int first = seen;
    simulate(seed, program, among).value();
    BOOST_TEST(seen == first);
  }
}

BOOST_AUTO_TEST_SUITE_END()
