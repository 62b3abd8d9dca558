// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actor.hpp>
#include <troupe/actors/debouncer.hpp>
#include <troupe/nursery.hpp>
#include <troupe/outcome.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/time.hpp>

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

/// When the job runs, in milliseconds, if it is triggered at these times and takes so long.
task<std::vector<int>> runs(debouncer_options options, std::vector<int> triggers,
                            duration takes = 0s) {
  std::vector<int> at;
  debouncer d(options);
  const time_point begin = current_time();
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_service([&]() {
      return d.run([&]() -> task<> {
        at.push_back(static_cast<int>((current_time() - begin) / 1ms));
        co_await sleep_for(takes);
      });
    });
    for (const int t : triggers) {
      co_await sleep_until(begin + std::chrono::milliseconds(t));
      d.trigger();
    }
    co_await sleep_for(1h);
    BOOST_TEST(!d.pending());
  });
  co_return at;
}

using times = std::vector<int>;

/// g++ 12 does not take an initializer list in an await.
template <class... Ts>
times at_ms(Ts... ms) {
  return {ms...};
}

} // namespace

BOOST_AUTO_TEST_SUITE(debouncers)

TROUPE_TEST_CASE(job_runs_once_when_it_has_been_quiet) {
  debouncer_options options;
  const auto at = co_await runs(options, at_ms(0, 50, 120, 1000));
  BOOST_TEST(at == at_ms(220, 1100), boost::test_tools::per_element());
}

TROUPE_TEST_CASE(no_trigger_waits_for_longer_than_the_limit) {
  debouncer_options options;
  options.max_wait = 250ms;
  const auto at = co_await runs(options, at_ms(0, 80, 160, 240, 320, 400));
  BOOST_TEST(at == at_ms(250, 500), boost::test_tools::per_element());
  options.max_wait = 30ms; // shorter than the quiet time
  const auto soon = co_await runs(options, at_ms(0, 20, 40, 60));
  BOOST_TEST(soon == at_ms(30, 70), boost::test_tools::per_element());
}

TROUPE_TEST_CASE(leading_edge_runs_at_once_and_the_trailing_one_for_what_came_after) {
  debouncer_options options;
  options.leading = true;
  const auto both = co_await runs(options, at_ms(0, 50, 1000));
  BOOST_TEST(both == at_ms(0, 150, 1000), boost::test_tools::per_element());
  options.trailing = false;
  const auto leading = co_await runs(options, at_ms(0, 50, 120, 1000));
  BOOST_TEST(leading == at_ms(0, 1000), boost::test_tools::per_element());
}

TROUPE_TEST_CASE(trigger_while_the_job_runs_is_for_another_run) {
  debouncer_options options;
  const auto at = co_await runs(options, at_ms(0, 150, 160), 200ms);
  BOOST_TEST(at == at_ms(100, 300), boost::test_tools::per_element());
}

TROUPE_TEST_CASE(flush_runs_it_now_and_waits_for_it) {
  debouncer_options options;
  options.quiet = 1h;
  debouncer d(options);
  int done = 0;
  const time_point begin = current_time();
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_service([&]() {
      return d.run([&]() -> task<> {
        co_await sleep_for(1s);
        ++done;
      });
    });
    co_await d.flush(); // nothing to do
    BOOST_TEST(done == 0);
    d.trigger();
    co_await d.flush();
    BOOST_TEST(done == 1);
    BOOST_TEST((current_time() - begin == 1s));
    d.trigger();
    BOOST_TEST(d.pending());
    d.drop();
    co_await sleep_for(2h);
    BOOST_TEST(done == 1);
  });
}

TROUPE_TEST_CASE(p05_soft_stop_is_a_flush) {
  debouncer_options options;
  options.quiet = 1h;
  debouncer d(options);
  int done = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() {
      return d.run([&]() -> task<> {
        co_await checkpoint();
        ++done;
      });
    });
    co_await sleep_for(1s);
    d.trigger();
    n.stop(1s);
  });
  BOOST_TEST(done == 1);
}

TROUPE_TEST_CASE(flush_returns_when_the_soft_stop_has_run_the_job) {
  debouncer_options options;
  options.quiet = 1h;
  debouncer d(options);
  const auto begin = current_time();
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() { return d.run([]() -> task<> { co_await sleep_for(10ms); }); });
    co_await checkpoint();
    d.trigger();
    n.start_soon([&]() -> task<> { co_await d.flush(); });
    co_await sleep_for(5ms); // in the middle of the job
    n.stop(1h);
  });
  BOOST_TEST((current_time() - begin < 1s));
}

TROUPE_TEST_CASE(failure_reaches_the_nursery_and_triggers_wait_for_the_next_run) {
  debouncer_options options;
  debouncer d(options);
  int done = 0;
  const auto fails = [&]() -> task<> {
    co_await checkpoint();
    throw std::runtime_error("disk full");
  };
  d.trigger();
  BOOST_TEST(describe((co_await as_outcome(d.run(fails))).error()) == "disk full");
  d.trigger();
  co_await with_nursery([&](nursery& n) -> task<> {
    const auto job = [&]() -> task<> {
      co_await checkpoint();
      ++done;
    };
    n.start_service([&]() { return d.run(job); });
    co_await checkpoint();
    const auto twice = co_await as_outcome(d.run(job));
    BOOST_CHECK_THROW(std::rethrow_exception(twice.error()), usage_error);
    co_await sleep_for(1s);
  });
  BOOST_TEST(done == 1);
  options.trailing = false;
  BOOST_CHECK_THROW(debouncer{options}, std::invalid_argument);
}

TROUPE_TEST_CASE(triggers_come_as_messages_too) {
  debouncer_options options;
  debouncer d(options);
  int done = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_service([&]() {
      return d.run([&]() -> task<> {
        co_await checkpoint();
        ++done;
      });
    });
    const auto front = n.start_actor([&](mailbox& in) { return d.serve(in); });
    send(front.address(), 1);
    send(front.address(), std::string("again"));
    co_await sleep_for(1s);
    n.cancel();
  });
  BOOST_TEST(done == 1);
}

BOOST_AUTO_TEST_SUITE_END()
