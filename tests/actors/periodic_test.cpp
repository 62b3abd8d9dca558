// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actor.hpp>
#include <troupe/actors/periodic.hpp>
#include <troupe/cancel_scope.hpp>
#include <troupe/nursery.hpp>
#include <troupe/outcome.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/time.hpp>

#include <caf/event_based_actor.hpp>

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

/// When runs begin, in seconds, if the n-th takes `lengths[n]` (and the last one for all others).
task<std::vector<double>> starts(periodic_options options, std::vector<duration> lengths) {
  std::vector<double> at;
  const time_point begin = current_time();
  const auto job = [&]() -> task<> {
    const std::size_t n = at.size();
    at.push_back(std::chrono::duration<double>(current_time() - begin).count());
    co_await sleep_for(lengths[std::min(n, lengths.size() - 1)]);
  };
  co_await run_periodically(options, job);
  co_return at;
}

/// g++ 12 does not take an initializer list in an await.
template <class... Ts>
std::vector<duration> lasting(Ts... lengths) {
  return {lengths...};
}

} // namespace

BOOST_AUTO_TEST_SUITE(periodic_jobs)

TROUPE_TEST_CASE(at_a_fixed_rate_the_time_of_the_job_does_not_count) {
  periodic_options options;
  options.runs = 4;
  const auto at = co_await starts(options, lasting(400ms));
  const std::vector<double> expected{0, 1, 2, 3};
  BOOST_TEST(at == expected, boost::test_tools::per_element());
}

TROUPE_TEST_CASE(with_a_fixed_delay_there_is_a_pause_between_runs) {
  periodic_options options;
  options.runs = 3;
  options.first = 5s;
  options.between = period::end_to_start;
  const auto at = co_await starts(options, lasting(500ms));
  const std::vector<double> expected{5, 6.5, 8};
  BOOST_TEST(at == expected, boost::test_tools::per_element());
}

TROUPE_TEST_CASE(missed_times_are_skipped_or_made_up_for) {
  periodic_options options;
  options.runs = 5;
  const auto skipped = co_await starts(options, lasting(2500ms, 0s));
  const std::vector<double> on_the_grid{0, 3, 4, 5, 6};
  BOOST_TEST(skipped == on_the_grid, boost::test_tools::per_element());

  options.missed = missed_times::catch_up;
  const auto caught_up = co_await starts(options, lasting(2500ms, 0s));
  const std::vector<double> all{0, 2.5, 2.5, 3, 4};
  BOOST_TEST(caught_up == all, boost::test_tools::per_element());

  options.missed = missed_times::skip;
  options.runs = 2;
  const auto just_in_time = co_await starts(options, lasting(2s, 0s));
  const std::vector<double> at_once{0, 2};
  BOOST_TEST(just_in_time == at_once, boost::test_tools::per_element());
}

TROUPE_TEST_CASE(jitter_delays_runs_and_does_not_add_up) {
  periodic_options options;
  options.runs = 100;
  options.jitter = 0.5;
  const auto at = co_await starts(options, lasting(0s));
  bool differ = false;
  for (std::size_t i = 0; i < at.size(); ++i) {
    const double late = at[i] - static_cast<double>(i);
    BOOST_TEST((late >= 0 && late <= 0.5));
    differ = differ || late > 0.25;
  }
  BOOST_TEST(differ);
}

TROUPE_TEST_CASE(failures_are_thrown_or_borne_so_many_in_a_row) {
  periodic_options options;
  int runs = 0, heard = 0;
  const auto odd_ones_fail = [&]() -> task<> {
    co_await checkpoint();
    if (++runs % 2 != 0)
      throw std::runtime_error("odd");
  };
  const auto thrown = co_await as_outcome(run_periodically(options, odd_ones_fail));
  BOOST_TEST(describe(thrown.error()) == "odd");
  BOOST_TEST(runs == 1);

  runs = 0;
  options.failures = 1;
  options.runs = 6;
  options.on_failure = [&](const std::exception_ptr& e) {
    ++heard;
    BOOST_TEST(describe(e) == "odd");
  };
  co_await run_periodically(options, odd_ones_fail);
  BOOST_TEST(runs == 6);
  BOOST_TEST(heard == 3);

  options.failures = 2;
  options.runs = 0;
  int calls = 0;
  const auto all_fail = [&]() -> task<> {
    co_await checkpoint();
    ++calls;
    throw std::runtime_error("odd");
  };
  BOOST_TEST((co_await as_outcome(run_periodically(options, all_fail))).failed());
  BOOST_TEST(calls == 3);
}

TROUPE_TEST_CASE(p05_soft_stop_lets_the_run_end_and_cancellation_does_not) {
  for (const bool soft : {true, false}) {
    int begun = 0, ended = 0;
    periodic_options options;
    options.interval = 10s;
    const auto job = [&]() -> task<> {
      ++begun;
      co_await sleep_for(5s);
      ++ended;
    };
    const time_point begin = current_time();
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { co_await run_periodically(options, job); });
      co_await sleep_for(12s);
      if (soft)
        n.stop(1h);
      else
        n.cancel();
    });
    BOOST_TEST(begun == 2);
    BOOST_TEST(ended == (soft ? 2 : 1));
    BOOST_TEST((current_time() - begin == (soft ? 15s : 12s)));
  }
}

TROUPE_TEST_CASE(times_that_make_no_sense_are_refused) {
  periodic_options options;
  options.name = "sweeper";
  options.interval = 0s;
  const auto job = []() -> task<> { co_await checkpoint(); };
  const auto refused = co_await as_outcome(run_periodically(options, job));
  BOOST_TEST(describe(refused.error()) == "troupe: the times of 'sweeper' are out of range");
}

TROUPE_TEST_CASE(ordinary_actors_get_their_ticks_by_message) {
  int ticks = 0;
  const caf::actor counter = actor_system().spawn([&](caf::event_based_actor* self) {
    return caf::behavior{[&ticks, self](caf::tick_atom) {
      if (++ticks == 3)
        self->quit();
    }};
  });
  monitor(counter);
  co_await with_nursery([&](nursery& n) -> task<> {
    periodic_options options;
    n.start_soon([&, options]() -> task<> {
      const auto tick = [&]() -> task<> {
        send(counter, caf::tick_atom::value);
        co_await checkpoint();
      };
      co_await run_periodically(options, tick);
    });
    mailbox in = this_mailbox();
    co_await in.receive([](const caf::down_msg&) {});
    n.cancel();
  });
  BOOST_TEST(ticks == 3);
}

BOOST_AUTO_TEST_SUITE_END()
