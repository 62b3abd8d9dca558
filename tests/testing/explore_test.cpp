// SPDX-License-Identifier: BSD-3-Clause
// Bugs that were planted, and in how many runs they are found.
#include "support/contains.hpp"
#include "testing/seed_variable.hpp"
#include "testing/simulated_programs.hpp"

#include <troupe/testing/explore.hpp>
#include <troupe/testing/test_failure.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using troupe_test::contains;
using troupe_test::seed_variable;

namespace {

/// Two locks, taken in two orders.
task<> deadlock_of_two_mutexes() {
  mutex a, b;
  const auto both = [](mutex& first, mutex& second) -> task<> {
    const auto one = co_await first.lock();
    const auto two = co_await second.lock();
  };
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_on(0, both, std::ref(a), std::ref(b));
    n.start_on(1, both, std::ref(b), std::ref(a));
    co_return;
  });
}

/// Looks, gives way, and acts on what it has seen.
task<> lost_update() {
  int balance = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    for (unsigned i = 0; i < 2; ++i)
      n.start_on(i, [&]() -> task<> {
        const int seen = balance;
        co_await checkpoint();
        balance = seen + 1;
      });
    co_return;
  });
  if (balance != 2)
    throw std::runtime_error("an update was lost");
}

struct planted {
  const char* name;
  task<> (*program)();
  const char* why;
  std::uint64_t runs; ///< in which it is found, by each schedule
};

const planted bugs[] = {
  {"deadlock of two mutexes", deadlock_of_two_mutexes, "deadlock", 100},
  {"lost update", lost_update, "an update was lost", 100},
};

} // namespace

BOOST_AUTO_TEST_SUITE(exploring)

BOOST_AUTO_TEST_CASE(planted_bugs_are_found) {
  for (const auto& bug : bugs)
    for (const schedule s : {schedule::random, schedule::priorities}) {
      BOOST_TEST_CONTEXT(bug.name << ", schedule " << static_cast<int>(s)) {
        explore_options o;
        o.simulation.order = s;
        const exploration e = explore(bug.program, bug.runs, o);
        BOOST_TEST_REQUIRE(e.failure.has_value());
        BOOST_TEST(contains(e.failure->why(), bug.why));
        BOOST_TEST_REQUIRE(e.simplest.has_value());
        BOOST_TEST(contains(e.simplest->why(), bug.why));
        BOOST_TEST_MESSAGE(bug.name << ": run " << e.runs << ", made simpler: " << e.replay);
      }
    }
}

BOOST_AUTO_TEST_CASE(planted_bugs_are_found_in_all_orders) {
  for (const auto& bug : bugs) {
    BOOST_TEST_CONTEXT(bug.name) {
      explore_all_options o;
      o.max_runs = 1000;
      const exploration e = explore_all(bug.program, o);
      BOOST_TEST_REQUIRE(e.failure.has_value());
      BOOST_TEST(contains(e.failure->why(), bug.why));
      BOOST_TEST_MESSAGE(bug.name << ": run " << e.runs << " of all");
    }
  }
}

BOOST_AUTO_TEST_CASE(programs_of_the_core_hold_in_some_hundred_orders) {
  explore_options o;
  o.simulation.loops = 3;
  for (const schedule s : {schedule::random, schedule::priorities})
    for (const bool shuffle : {false, true}) {
      o.simulation.order = s;
      o.simulation.shuffle_ready = shuffle;
      for (const auto& [name, program] : simulated_programs())
        BOOST_TEST_CONTEXT(name) { explore(program, 200, o).verify(); }
    }
}

BOOST_AUTO_TEST_CASE(all_orders_of_a_small_program_are_tried) {
  std::set<std::string> orders;
  const auto program = [&]() -> task<> {
    std::string order;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (const char c : {'a', 'b'})
        n.start_on(c == 'a' ? 0 : 1, [&order, c]() -> task<> {
          order += c;
          co_await checkpoint();
          order += c;
        });
      co_return;
    });
    orders.insert(order);
  };
  explore_all_options o;
  o.max_changes = 100;
  const exploration e = explore_all(program, o);
  BOOST_TEST(!e.failure.has_value());
  BOOST_TEST(e.complete);
  BOOST_TEST(orders.size() == 6U);
  BOOST_TEST_MESSAGE(e.runs << " runs");
}

BOOST_AUTO_TEST_CASE(failure_comes_back_from_its_seed) {
  const exploration found = explore(lost_update, 100);
  BOOST_TEST_REQUIRE(found.failure.has_value());
  BOOST_TEST(contains(found.text(), "TROUPE_SEED=" + found.replay));
  BOOST_CHECK_THROW(found.verify(), test_failure);
  {
    const seed_variable set(found.replay);
    const exploration again = explore(lost_update, 100);
    BOOST_TEST(again.runs == 1U);
    BOOST_TEST_REQUIRE(again.failure.has_value());
    BOOST_TEST(again.failure->hash == found.simplest->hash);
    BOOST_TEST(again.failure->log == found.simplest->log);
  }
  const seed_variable set(std::to_string(found.failure->seed));
  BOOST_TEST(explore(lost_update, 100).failure->hash == found.failure->hash);
}

BOOST_AUTO_TEST_CASE(replay_of_another_program_is_an_error) {
  const exploration found = explore(lost_update, 100);
  BOOST_TEST_REQUIRE(found.failure.has_value());
  const seed_variable set(found.replay);
  BOOST_CHECK_EXCEPTION(static_cast<void>(explore(deadlock_of_two_mutexes, 100)), test_failure,
                        [](const auto& e) { return contains(e.what(), "have changed since"); });
}

BOOST_AUTO_TEST_CASE(seed_that_makes_no_sense_is_an_error) {
  for (const char* text : {"x", "7:", "7:xyz", "7@", "7@1", "7@1=", "7@x=1:5", "-1", "7 "}) {
    const seed_variable set(text);
    if (std::string(text) == "7@") // in turn
      static_cast<void>(explore(lost_update, 1));
    else
      BOOST_CHECK_EXCEPTION(static_cast<void>(explore(lost_update, 1)), test_failure,
                            [](const auto& e) { return contains(e.what(), "TROUPE_SEED is"); });
  }
}

BOOST_AUTO_TEST_CASE(program_that_kills_its_process_is_named_with_its_seed) {
#if defined(__SANITIZE_THREAD__)
  BOOST_TEST_MESSAGE("the sanitizer has a thread: there are no processes");
#else
  explore_options o;
  o.processes = 2;
  const exploration e = explore(
    []() -> task<> {
      if (random_bits() % 50 == 0)
        static_cast<void>(std::raise(SIGKILL));
      co_return;
    },
    1000, o);
  BOOST_TEST_REQUIRE(e.failure.has_value());
  BOOST_TEST(contains(e.failure->why(), "signal 9"));
#endif
}

namespace {

/// Only the process that has asked hears of it, however many search.
template <class Error>
void check_thrown_here_only(const explore_options& o, const std::function<task<>()>& program) {
  const pid_t here = ::getpid();
  for (const unsigned processes : {1U, 2U}) {
    explore_options some = o;
    some.processes = processes;
    bool thrown = false;
    try {
      static_cast<void>(explore(program, 100, some));
    } catch (const Error&) {
      thrown = true;
    }
    if (::getpid() != here)
      ::_exit(1); // a child, which would go on with the tests
    BOOST_TEST(thrown);
  }
}

} // namespace

BOOST_AUTO_TEST_CASE(impossible_plan_is_refused_before_there_are_processes) {
  explore_options o;
  o.simulation.faults = {stalls("*", when::at(0), 1s)};
  check_thrown_here_only<usage_error>(o, lost_update);
  explore_all_options all;
  all.simulation = o.simulation;
  BOOST_CHECK_THROW(static_cast<void>(explore_all(lost_update, all)), usage_error);
}

BOOST_AUTO_TEST_CASE(what_a_simulation_throws_comes_out_of_the_process_that_has_asked) {
  explore_options o;
  o.simulation.loops = 0;
  check_thrown_here_only<usage_error>(o, lost_update);
}

BOOST_AUTO_TEST_CASE(program_that_depends_on_something_else_is_told) {
  explore_options o;
  o.processes = 1;
  int calls = 0;
  const exploration e = explore(
    [&calls]() -> task<> {
      if (++calls == 5)
        throw std::runtime_error("only the fifth time");
      co_return;
    },
    10, o);
  BOOST_TEST_REQUIRE(e.failure.has_value());
  BOOST_TEST(contains(e.failure->why(), "not the second time"));
}

namespace {

/// A task that every other run has, at most.
task<> sometimes_there() {
  co_await with_nursery([](nursery& n) -> task<> {
    if (random_bits() % 2 == 0)
      n.start_soon(named("guest", []() -> task<> { co_await checkpoint(); }));
    co_return;
  });
}

} // namespace

BOOST_AUTO_TEST_CASE(plan_may_name_what_only_some_of_the_runs_have) {
  explore_options o;
  o.simulation.faults = {stalls("guest", when::at(1), 1s)};
  for (const unsigned processes : {1U, 2U}) {
    o.processes = processes;
    BOOST_TEST(explore(sometimes_there, 40, o).text() == "");
  }
  explore_all_options all;
  all.simulation = o.simulation;
  all.max_runs = 10;
  for (all.seed = 1; simulate(all.seed, sometimes_there, all.simulation).failed(); ++all.seed) {
  }
  BOOST_TEST(explore_all(sometimes_there, all).text() == "");
}

BOOST_AUTO_TEST_CASE(plan_that_names_what_no_run_has_is_an_error) {
  explore_options o;
  o.simulation.faults = {stalls("guest", when::at(1), 1s), stalls("gest", when::at(1), 1s)};
  for (const unsigned processes : {1U, 2U}) {
    o.processes = processes;
    const exploration e = explore(sometimes_there, 40, o);
    BOOST_TEST_REQUIRE(e.failure.has_value());
    BOOST_TEST((e.failure->unmatched == std::vector<std::size_t>{1}));
    BOOST_TEST(e.text()
               == "troupe: the fault plan names 'gest', and nothing that it could happen to has "
                  "such a name, in 40 runs\n");
  }
  explore_all_options all;
  all.simulation = o.simulation;
  BOOST_TEST(contains(explore_all(sometimes_there, all).text(), "the fault plan names 'g"));
}

BOOST_AUTO_TEST_CASE(what_has_failed_comes_before_what_the_plan_has_missed) {
  explore_options o;
  o.simulation.faults = {stalls("nobody", when::at(1), 1s)};
  const auto fails_at_times = []() -> task<> {
    co_await checkpoint();
    if (random_bits() % 10 == 0)
      throw std::runtime_error("no luck");
  };
  const exploration e = explore(fails_at_times, 200, o);
  BOOST_TEST_REQUIRE(e.failure.has_value());
  BOOST_TEST(e.failure->why() == "no luck");
  BOOST_TEST(simulate(e.failure->seed, fails_at_times, o.simulation).why() == "no luck");
}

BOOST_AUTO_TEST_SUITE_END()
