// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/error.hpp>
#include <troupe/testing/explore.hpp>
#include <troupe/testing/trace.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstddef>
#include <sstream>
#include <stdexcept>
#include <string>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

std::string text(const trace& t) {
  std::ostringstream out;
  t.write(out);
  return out.str();
}

std::size_t times(const std::string& all, const std::string& part) {
  std::size_t n = 0;
  for (auto at = all.find(part); at != all.npos; at = all.find(part, at + 1))
    ++n;
  return n;
}

task<> worker() { co_await sleep_for(1s); }

/// Goes wrong if the task on the second loop is first.
task<> racing() {
  int first = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    for (unsigned i = 0; i < 2; ++i)
      n.start_on(i, named("racer", [&first, i]() -> task<> {
                   co_await checkpoint();
                   if (first == 0)
                     first = static_cast<int>(i) + 1;
                 }));
    co_return;
  });
  if (first == 2)
    throw std::runtime_error("the wrong one has won");
}

} // namespace

BOOST_AUTO_TEST_SUITE(traces)

BOOST_AUTO_TEST_CASE(a_picture_changes_nothing) {
  const auto program = []() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      for (unsigned i = 0; i < 4; ++i)
        n.start_on(i, worker);
      co_return;
    });
  };
  trace t;
  simulation_options options;
  const auto without = simulate(3, program, options);
  options.record = &t;
  const auto with = simulate(3, program, options);
  BOOST_TEST(!with.failed());
  BOOST_TEST(with.hash == without.hash);
  BOOST_TEST(times(text(t), "worker#") == 4U);
}

BOOST_AUTO_TEST_CASE(the_same_run_has_the_same_picture) {
  const auto draw = [] {
    trace t;
    simulation_options options;
    options.record = &t;
    static_cast<void>(simulate(5, racing, options));
    return text(t);
  };
  BOOST_TEST(draw() == draw());
}

BOOST_AUTO_TEST_CASE(lives_after_each_other_share_a_track) {
  trace t;
  simulation_options options;
  options.record = &t;
  const auto r = simulate(
    1,
    []() -> task<> {
      for (int i = 0; i < 3; ++i)
        co_await with_nursery([](nursery& n) -> task<> {
          n.start_soon(named("child", worker));
          n.start_soon(named("child", worker));
          co_return;
        });
    },
    options);
  BOOST_TEST_REQUIRE(!r.failed());
  BOOST_TEST(times(text(t), R"("args":{"name":"child"})") == 2U); // two rows
  BOOST_TEST(times(text(t), "child#") == 6U);
}

BOOST_AUTO_TEST_CASE(it_says_how_tasks_have_ended) {
  trace t;
  simulation_options options;
  options.record = &t;
  const auto r = simulate(
    1,
    []() -> task<> {
      co_await with_nursery([](nursery& n) -> task<> {
        n.start_soon(named("sleeper", []() -> task<> { co_await sleep_forever(); }));
        n.start_soon(named("failing", []() -> task<> {
          co_await sleep_for(1s);
          throw std::runtime_error("no disk");
        }));
        co_return;
      });
    },
    options);
  BOOST_TEST(r.why() == "no disk");
  BOOST_TEST(times(text(t), R"("args":{"end":"ended, cancelled"})") == 1U);
  BOOST_TEST(times(text(t), R"("args":{"end":"ended with a failure"})") == 2U); // and the root
  BOOST_TEST(times(text(t), "the run has failed") == 1U);
}

BOOST_AUTO_TEST_CASE(explore_draws_what_it_has_found_alone) {
  trace t;
  explore_options options;
  options.processes = 1;
  options.simulation.record = &t;
  const exploration found = explore(racing, 1000, options);
  BOOST_TEST_REQUIRE(found.failure.has_value());
  BOOST_TEST(times(text(t), "racer#") == 2U);
  BOOST_TEST(times(text(t), "the run has failed") == 1U);

  trace none;
  options.simulation.record = &none;
  explore(worker, 20, options).verify();
  BOOST_TEST(times(text(none), "worker#") == 0U);
}

BOOST_AUTO_TEST_CASE(explore_all_draws_what_it_has_found_alone) {
  trace t;
  explore_all_options options;
  options.simulation.record = &t;
  const exploration found = explore_all(racing, options);
  BOOST_TEST_REQUIRE(found.failure.has_value());
  BOOST_TEST(times(text(t), "racer#") == 2U);
}

BOOST_AUTO_TEST_CASE(of_too_many_events_the_last_are_kept) {
  trace t(2);
  const auto row = t.add_track("group", "row");
  t.begin(row, "long", time_point(1s));
  for (int i = 0; i < 5; ++i)
    t.instant(row, "moment " + std::to_string(i), time_point(2s));
  BOOST_TEST(t.lost() == 3U);
  BOOST_TEST(times(text(t), "moment ") == 2U);
  BOOST_TEST(times(text(t), "moment 4") == 1U);
  BOOST_TEST(times(text(t), "long") == 1U); // it has not ended
  t.end(row, {}, time_point(3s));
  BOOST_TEST(t.lost() == 4U);
  BOOST_TEST(times(text(t), R"("lost":"4")") == 1U);
}

BOOST_AUTO_TEST_CASE(what_has_not_begun_cannot_end) {
  trace t;
  const auto row = t.add_track("group", "row");
  BOOST_CHECK_THROW(t.end(row), usage_error);
  t.begin(row, "something");
  t.end(row);
  BOOST_CHECK_THROW(t.end(row), usage_error);
  BOOST_CHECK_THROW(t.instant(trace::track{7}, "nowhere"), std::out_of_range);
  BOOST_CHECK_THROW(t.count(trace::track{7}, 1), std::out_of_range);
}

BOOST_AUTO_TEST_SUITE_END()
