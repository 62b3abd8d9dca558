// SPDX-License-Identifier: BSD-3-Clause
#include "planned.hpp"
#include "support/contains.hpp"

#include <troupe/testing/explore.hpp>
#include <troupe/testing/simulation.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using troupe_test::contains;
using troupe_test::with;

namespace {

/// How far a worker comes that passes three checkpoints, and what has become of it.
struct record {
  int reached = 0;
  std::string caught;
  duration took{};
};

task<record> one_worker() {
  record r;
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon(named("worker 1", [&]() -> task<> {
      try {
        for (int i = 0; i < 3; ++i) {
          co_await sleep_for(1s);
          ++r.reached;
        }
      } catch (const std::runtime_error& e) {
        r.caught = e.what();
      }
    }));
    co_return;
  });
  r.took = current_time().time_since_epoch();
  co_return r;
}

} // namespace

BOOST_AUTO_TEST_SUITE(fault_plans)

BOOST_AUTO_TEST_CASE(await_throws_at_the_nth_checkpoint) {
  const auto r =
    simulate(1, one_worker, with({fails("worker*", when::at(2), std::runtime_error("broken"))}))
      .value();
  BOOST_TEST(r.reached == 1);
  BOOST_TEST(r.caught == "broken");
}

BOOST_AUTO_TEST_CASE(task_is_cancelled_at_the_nth_checkpoint) {
  const auto r = simulate(1, one_worker, with({is_cancelled_at("worker 1", when::at(3))})).value();
  BOOST_TEST(r.reached == 2);
  BOOST_TEST(r.caught == "");
}

BOOST_AUTO_TEST_CASE(task_that_stalls_goes_on_later) {
  const auto r = simulate(1, one_worker, with({stalls("*1", when::at(2), 1min)})).value();
  BOOST_TEST(r.reached == 3);
  BOOST_TEST((r.took == 62s)); // the second sleep is over long before
}

BOOST_AUTO_TEST_CASE(faults_by_chance_follow_from_the_seed) {
  const auto reached = [](std::uint64_t seed) {
    return simulate(seed, one_worker,
                    with({fails("worker*", when::sometimes(0.5), std::runtime_error("broken"))}))
      .value()
      .reached;
  };
  std::vector<int> times(4);
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    BOOST_TEST(reached(seed) == reached(seed));
    ++times[static_cast<std::size_t>(reached(seed))];
  }
  for (const int n : times)
    BOOST_TEST(n > 0);
}

BOOST_AUTO_TEST_CASE(event_log_says_what_was_planned) {
  const auto r = simulate(
    1,
    []() -> task<> {
      co_await sleep_for(1s);
      throw std::logic_error("as ever");
    },
    with({stalls("*", when::at(1), 1s)}));
  BOOST_TEST(contains(r.log, "by plan, stalls at checkpoint 1: "));
}

BOOST_AUTO_TEST_CASE(plan_that_names_nobody_is_an_error) {
  const auto r = simulate(1, one_worker, with({is_cancelled_at("wroker*", when::at(1))}));
  BOOST_TEST(contains(r.why(), "the fault plan names 'wroker*'"));
}

BOOST_AUTO_TEST_CASE(impossible_plan_is_an_error) {
  for (const when& at :
       {when{}, when::sometimes(-1), when::sometimes(2), when{1, 0.5}, when{1, 0, 0}})
    BOOST_CHECK_THROW(static_cast<void>(simulate(1, one_worker, with({is_cancelled_at("*", at)}))),
                      usage_error);
  BOOST_CHECK_THROW(
    static_cast<void>(simulate(1, one_worker, with({stalls("*", when::at(1), 0s)}))), usage_error);
}

BOOST_AUTO_TEST_CASE(allocations_fail_only_in_programs_that_replace_new) {
  BOOST_CHECK_EXCEPTION(
    static_cast<void>(simulate(1, one_worker, with({lacks_memory("worker 1", when::at(1))}))),
    usage_error, [](const usage_error& e) {
      return contains(e.what(), "include troupe/testing/replace_new.hpp");
    });
}

BOOST_AUTO_TEST_CASE(explore_finds_a_lease_that_leaks_when_its_user_fails) {
  const auto leaky = [] {
    return troupe_test::share_a_lease<std::runtime_error>([] { return 0; });
  };
  explore_options o;
  explore(leaky, 100, o).verify();
  o.simulation.faults = {fails("user", when::sometimes(0.1), std::runtime_error("no network"))};
  const exploration e = explore(leaky, 100, o);
  BOOST_TEST_REQUIRE(e.failure.has_value());
  BOOST_TEST(contains(e.failure->why(), "deadlock"));
  BOOST_TEST_MESSAGE("a leaked lease: run " << e.runs);
}

BOOST_AUTO_TEST_SUITE_END()
