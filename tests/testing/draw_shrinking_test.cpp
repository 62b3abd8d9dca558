// SPDX-License-Identifier: BSD-3-Clause
// What a program draws is made simpler with the rest.
#include "support/contains.hpp"
#include "testing/seed_variable.hpp"

#include <troupe/testing/explore.hpp>
#include <troupe/testing/network.hpp>
#include <troupe/testing/test_failure.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using troupe_test::contains;
using troupe_test::seed_variable;

namespace {

/// Starts 1 to 50 tasks that sleep up to a minute, and cannot have three if one sleeps for more
/// than ten seconds. Each draws for how long when it begins.
task<> three_and_a_long_one() {
  std::uint64_t started = 0;
  bool is_long = false;
  co_await with_nursery([&](nursery& n) -> task<> {
    started = 1 + random_bits() % 50;
    for (std::uint64_t i = 0; i < started; ++i)
      n.start_on(static_cast<unsigned>(i), [&]() -> task<> {
        const auto time = std::chrono::milliseconds(random_bits() % 60'000);
        is_long = is_long || time > 10s;
        co_await sleep_for(time);
      });
    co_return;
  });
  if (started >= 3 && is_long)
    throw std::runtime_error(std::to_string(started) + " tasks, and one is long");
}

/// The same, but only one in twenty is long, and how long is a part of an hour.
task<> one_in_twenty_is_long() {
  std::uint64_t started = 0;
  bool is_long = false;
  co_await with_nursery([&](nursery& n) -> task<> {
    started = 1 + random_bits() % 50;
    for (std::uint64_t i = 0; i < started; ++i)
      n.start_soon(
        [&](double part) -> task<> {
          is_long = is_long || part > 0.95;
          co_await sleep_for(std::chrono::seconds(static_cast<int>(3600 * part)));
        },
        random_fraction());
    co_return;
  });
  if (started >= 3 && is_long)
    throw std::runtime_error(std::to_string(started) + " tasks, and one is long");
}

exploration explored(task<> (*program)(), std::uint64_t first_seed = 1, explore_options o = {}) {
  o.first_seed = first_seed;
  o.processes = 1;
  const exploration e = explore(program, 1000, o);
  BOOST_TEST_REQUIRE(e.failure.has_value());
  BOOST_TEST_REQUIRE(e.simplest.has_value());
  BOOST_TEST_MESSAGE(e.replay << ": " << e.simplest->why() << ", " << e.simplest->steps
                              << " steps, not " << e.failure->steps);
  return e;
}

/// The text brings back what it was written for, and so do the members of the report.
void check_replay(const exploration& e, task<> (*program)(), const explore_options& o = {}) {
  simulation_options by_hand = o.simulation;
  by_hand.order = schedule::in_turn;
  by_hand.choices = e.simplest->choices;
  by_hand.draws = e.simplest->draws;
  by_hand.chances = e.simplest->chances;
  const auto r = simulate(e.simplest->seed, program, by_hand);
  BOOST_TEST(r.hash == e.simplest->hash);
  BOOST_TEST(r.text() == e.simplest->text());
  BOOST_TEST(contains(e.text(), "TROUPE_SEED=" + e.replay + '\n'));
  const seed_variable set(e.replay);
  const exploration again = explore(program, 1000, o);
  BOOST_TEST(again.runs == 1U);
  BOOST_TEST_REQUIRE(again.failure.has_value());
  BOOST_TEST(again.failure->why() == e.simplest->why());
  BOOST_TEST(again.failure->hash == e.simplest->hash);
  BOOST_TEST(again.failure->log == e.simplest->log);
}

} // namespace

BOOST_AUTO_TEST_SUITE(draw_shrinking)

BOOST_AUTO_TEST_CASE(few_tasks_and_little_time_are_left) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    BOOST_TEST_CONTEXT("first seed " << seed) {
      const exploration e = explored(three_and_a_long_one, seed);
      BOOST_TEST(e.simplest->why() == "3 tasks, and one is long");
      BOOST_TEST((e.simplest->elapsed > 10s && e.simplest->elapsed < 10'010ms));
      BOOST_TEST(e.simplest->steps < e.failure->steps);
      BOOST_TEST(e.replay.size() < 80U);
      check_replay(e, three_and_a_long_one);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_draw_that_matters_moves_to_the_front) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    BOOST_TEST_CONTEXT("first seed " << seed) {
      const exploration e = explored(one_in_twenty_is_long, seed);
      BOOST_TEST(e.simplest->why() == "3 tasks, and one is long");
      BOOST_TEST((e.simplest->elapsed >= 3420s && e.simplest->elapsed < 3430s));
      check_replay(e, one_in_twenty_is_long);
    }
  }
}

BOOST_AUTO_TEST_CASE(no_more_runs_are_made_than_were_allowed) {
  static int runs;
  const auto counted = []() -> task<> {
    ++runs;
    return three_and_a_long_one();
  };
  for (const std::size_t most : {0U, 1U, 2U, 20U, 300U}) {
    explore_options o;
    o.processes = 1;
    o.shrink_runs = most;
    runs = 0;
    const exploration e = explore(counted, 1000, o);
    BOOST_TEST_REQUIRE(e.failure.has_value());
    const auto others = static_cast<int>(e.runs) + 1; // the failing one twice
    BOOST_TEST(runs <= others + static_cast<int>(most));
    BOOST_TEST(e.simplest.has_value() == (most != 0));
  }
}

namespace {

/// Draws until it has what it wants, without a step.
task<> draws_until() {
  std::uint64_t n = 0;
  while (random_bits() % 4 == 0)
    ++n;
  co_await checkpoint();
  throw std::runtime_error("always");
}

} // namespace

BOOST_AUTO_TEST_CASE(program_that_draws_until_it_has_what_it_wants_comes_to_an_end) {
  const exploration e = explored(draws_until);
  BOOST_TEST(e.simplest->drawn <= 2U);
  check_replay(e, draws_until);
}

namespace {

std::uint64_t rounds;

/// Goes round for ever with what would be the smallest draw.
task<> round_and_round() {
  if (random_bits() % 4 == 0)
    for (;; ++rounds)
      co_await checkpoint();
  co_await checkpoint();
  throw std::runtime_error("all the same");
}

} // namespace

BOOST_AUTO_TEST_CASE(attempt_that_does_not_end_is_given_up_soon) {
  explore_options o;
  for (o.first_seed = 1; simulate(o.first_seed, round_and_round).why() != "all the same";)
    ++o.first_seed;
  rounds = 0;
  const exploration e = explored(round_and_round, o.first_seed, o);
  BOOST_TEST(rounds > 0U);
  BOOST_TEST(rounds < 10'000U);
  check_replay(e, round_and_round, o);
}

namespace {

/// Draws more than are looked at.
task<> draws_often() {
  std::uint64_t small = 0;
  for (int i = 0; i < 120'000; ++i)
    small += random_bits() % 4 == 0 ? 0 : 1;
  co_await checkpoint();
  if (small > 1000)
    throw std::runtime_error("too many");
}

} // namespace

BOOST_AUTO_TEST_CASE(draws_that_are_too_many_stay_as_they_are) {
  explore_options o;
  o.shrink_runs = 30;
  const exploration e = explored(draws_often, 1, o);
  BOOST_TEST(contains(e.replay, "@%0-99999=0:"));
  check_replay(e, draws_often, o);
}

namespace {

/// Nothing is another failure than too much; a file is called otherwise each time.
task<> too_much_for_a_file() {
  static int files;
  co_await checkpoint();
  const std::uint64_t n = random_bits() % 1000;
  if (n == 0)
    throw std::runtime_error("nothing to write");
  if (n == 1)
    throw std::logic_error("no room for 1 lines: /tmp/of-a-run-0/log");
  if (n >= 17)
    throw std::runtime_error("no room for " + std::to_string(n) + " lines: /tmp/of-a-run-"
                             + std::to_string(++files) + "x/log");
}

} // namespace

BOOST_AUTO_TEST_CASE(numbers_and_paths_make_no_other_failure_but_words_and_types_do) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const exploration e = explored(too_much_for_a_file, seed);
    BOOST_TEST(contains(e.simplest->why(), "no room for 17 lines: /tmp/of-a-run-"));
    const seed_variable set(e.replay);
    BOOST_TEST(contains(explore(too_much_for_a_file, 1).failure->why(), "no room for 17 lines"));
  }
}

namespace {

/// Needs one of its twenty steps to fail.
task<> one_failure_is_enough() {
  int failed = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      for (int i = 0; i < 20; ++i)
        try {
          co_await with_nursery([](nursery& m) -> task<> {
            m.start_soon(named("worker", []() -> task<> { co_await sleep_for(1s); }));
            co_return;
          });
        } catch (...) {
          ++failed;
        }
    });
    co_return;
  });
  if (failed != 0)
    throw std::runtime_error("a worker has failed");
}

} // namespace

BOOST_AUTO_TEST_CASE(fault_strikes_no_more_often_than_it_has_to) {
  explore_options o;
  o.simulation.faults = {fails("worker", when::sometimes(0.3), std::runtime_error("by plan"))};
  const exploration e = explored(one_failure_is_enough, 1, o);
  BOOST_TEST(e.failure->strikes > 1U);
  BOOST_TEST(e.simplest->strikes == 1U);
  BOOST_TEST(contains(e.text(), "Faults strike 1 times, not "));
  BOOST_TEST(e.replay.size() < 80U);
  check_replay(e, one_failure_is_enough, o);
}

namespace {

simulated_network& bad_network() {
  static simulated_network net = [] {
    network_options o;
    o.seed = 0; // another one in each run
    o.links = {.latency = 10ms, .jitter = 1s, .loss = 0.3, .duplicate = 0.3, .reorder = 0.3};
    return simulated_network(o);
  }();
  static const bool once = [] {
    for (const char* host : {"client", "server"})
      net.add_host(host);
    return true;
  }();
  static_cast<void>(once);
  return net;
}

/// Sends ten lines over a bad network, which has nothing to do with what fails.
task<> line_that_cannot_be_read() {
  bool bad = false;
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_service([&]() -> task<> {
      co_await bad_network().on("server", [&]() -> task<> {
        const auto read = [&](tcp_stream& peer) -> task<> {
          buffered_reader in(peer);
          for (;;) {
            const auto line = co_await in.read_line();
            if (!line)
              co_return;
            bad = bad || line->size() >= 3;
            co_await peer.write_all(std::string("yes\n"));
          }
        };
        co_await serve_tcp(read, 80);
      });
    });
    co_await sleep_for(1ms); // it listens
    co_await bad_network().on("client", [&]() -> task<> {
      auto to = co_await open_tcp_stream("server", 80);
      buffered_reader in(to);
      for (int i = 0; i < 10; ++i) {
        co_await to.write_all(std::string(random_bits() % 6, 'x') + '\n');
        static_cast<void>(co_await in.read_line());
      }
    });
  });
  if (bad)
    throw std::runtime_error("a line is too long");
}

} // namespace

BOOST_AUTO_TEST_CASE(network_is_as_good_as_it_can_be) {
  explore_options o;
  o.simulation.network = &bad_network();
  const exploration e = explored(line_that_cannot_be_read, 1, o);
  BOOST_TEST(e.failure->elapsed > 1s);
  // as long as it takes without jitter and loss: a lookup, a hand-shake, and ten answers
  BOOST_TEST(e.simplest->elapsed == 1ms + 1ms + 20ms + 10 * 20ms);
  check_replay(e, line_that_cannot_be_read, o);
}

BOOST_AUTO_TEST_CASE(steps_take_no_longer_than_they_have_to) {
  explore_options o;
  o.simulation.step_time = 1ms;
  const exploration e = explored(draws_until, 1, o);
  BOOST_TEST(e.failure->elapsed > 0s);
  BOOST_TEST(e.simplest->elapsed == 0s);
  check_replay(e, draws_until, o);
}

namespace {

task<> draws_three() {
  static_cast<void>(random_bits());
  co_await checkpoint();
  static_cast<void>(random_bits() ^ random_bits());
  throw std::runtime_error("as ever");
}

} // namespace

BOOST_AUTO_TEST_CASE(text_that_makes_no_sense_is_an_error_that_says_from_where_on) {
  const std::vector<std::pair<std::string, std::string>> bad = {
    {"7%", "something is missing"},
    {"7%1", "something is missing"},
    {"7%x=1", "from 'x=1' on"},
    {"7%1=2,", "something is missing"},
    {"7%1=x", "from 'x' on"},
    {"7%1=-2", "from '-2' on"},
    {"7%1=99999999999999999999", "from '99999999999999999999' on"},
    {"7%3-1=0:5", "from '3-1=0:5' on"},
    {"7%1-=0", "from '=0' on"},
    {"7%2=0,1=0", "from '1=0' on"},
    {"7%0-2=0,2=1", "from '2=1' on"},
    {"7%10000000=0", "from '10000000=0' on"},
    {"7%0-18446744073709551615=", "from '18446744073709551615=' on"},
    {"7%0=1@", "from '@' on"},
    {"7+0=0%0=1", "from '%0=1' on"},
    {"7+0=", "something is missing"},
    {"7+0-1=,2=0", "from ',2=0' on"},
    {"7%0=1:", "something is missing"},
    {"7%0=1:xyz", "from 'xyz' on"},
    {"7%0=1 ", "from ' ' on"},
  };
  for (const auto& [text, what] : bad)
    BOOST_TEST_CONTEXT(text) {
      const seed_variable set(text);
      BOOST_CHECK_EXCEPTION(
        static_cast<void>(explore(draws_three, 1)), test_failure, [&](const auto& e) {
          BOOST_TEST_MESSAGE(e.what());
          return contains(e.what(), "in '" + text + "' ") && contains(e.what(), what);
        });
    }
}

BOOST_AUTO_TEST_CASE(text_for_another_run_is_an_error) {
  const auto fails_with = [](const std::string& text, const std::string& why) {
    const seed_variable set(text);
    BOOST_CHECK_EXCEPTION(static_cast<void>(explore(draws_three, 1)), test_failure,
                          [&](const auto& e) { return contains(e.what(), why); });
  };
  fails_with("7%5=0", "TROUPE_SEED=7%5=0 changes draw 5 of a run that has 3");
  fails_with("7%0=1,2-9=0", "changes draw 9 of a run that has 3");
  fails_with("7+0=0", "changes chance 0 of a run that has 0");
  fails_with("7%0=1:123", "this is not the run that TROUPE_SEED=7%0=1:123 was written for");
}

BOOST_AUTO_TEST_CASE(draws_can_be_given_to_a_simulation) {
  const auto draws = [](std::vector<redraw> changed) {
    simulation_options o;
    o.draws = std::move(changed);
    const auto draw_four = []() -> task<std::vector<std::uint64_t>> {
      std::vector<std::uint64_t> all(4);
      for (auto& d : all)
        d = random_bits();
      co_return all;
    };
    return simulate(3, draw_four, o).value();
  };
  const auto as_seeded = draws({});
  BOOST_TEST((draws({{0, 0, 5}}) == std::vector{5UL, as_seeded[1], as_seeded[2], as_seeded[3]}));
  BOOST_TEST((draws({{1, 2, 0}}) == std::vector{as_seeded[0], 0UL, 0UL, as_seeded[3]}));
  const auto without = draws({{0, 1, {}}, {3, 3, 9}});
  BOOST_TEST((without[0] == as_seeded[2] && without[1] == 9U));
}

BOOST_AUTO_TEST_CASE(report_says_which_draws_it_was_given) {
  simulation_options o;
  o.draws = {{0, 1, 5}, {2, 3, {}}};
  const auto r = simulate(7, draws_three, o);
  BOOST_TEST(contains(r.text(), "seed 7 and the draws {0, 1, 5}, {2, 3}, its hash"));
  BOOST_TEST(r.drawn == 5U);
  BOOST_TEST((r.draws == o.draws));
}

BOOST_AUTO_TEST_CASE(draws_that_cannot_be_are_refused) {
  const auto refused = [](std::vector<redraw> draws, std::vector<redraw> chances,
                          const std::string& why) {
    simulation_options o;
    o.draws = std::move(draws);
    o.chances = std::move(chances);
    BOOST_CHECK_EXCEPTION(static_cast<void>(simulate(1, draws_three, o)), usage_error,
                          [&](const auto& e) { return contains(e.what(), why); });
  };
  refused({{2, 1, 0}}, {}, "the draws from 2 to 1 are not in order");
  refused({{0, 2, 0}, {2, 3, 0}}, {}, "the draws from 2 to 3 are not in order");
  refused({{0, 10'000'000, {}}}, {}, "beyond the first 10000000");
  refused({}, {{3, 1, 0}}, "from 3 to 1");
  refused({}, {{0, 0, {}}}, "a chance cannot be left out");
  explore_options o;
  o.simulation.draws = {{0, 0, 0}};
  BOOST_CHECK_THROW(static_cast<void>(explore(draws_three, 1, o)), usage_error);
}

BOOST_AUTO_TEST_SUITE_END()
