// SPDX-License-Identifier: BSD-3-Clause
// Jobs that crash: a worker pool whose jobs run in worker processes.
#include "runtime/process_functions.hpp"

#include <troupe/actors/worker_pool.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <csignal>
#include <string>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

struct work {
  int number = 0;
  int attempts = 0;
};

/// The process of the first attempt is killed in the middle of it.
task<int> add_in_process(process_pool& processes, work& w) {
  if (w.attempts++ == 0) {
    const int pid = co_await processes.run(jobs::worker_pid);
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon(
        [](int victim) -> task<> {
          co_await checkpoint();
          ::kill(victim, SIGKILL);
        },
        pid);
      co_await processes.run(jobs::block);
    });
  }
  co_return co_await processes.run(jobs::add, w.number, 1);
}

bool died(const std::exception_ptr& e) {
  try {
    std::rethrow_exception(e);
  } catch (const worker_died& d) {
    BOOST_TEST(d.status().signal() == SIGKILL);
    return true;
  } catch (...) {
    return false;
  }
}

using work_pool = worker_pool<work, int>;

template <class Body>
void with_processes(worker_pool_options options, Body body) {
  run([&]() -> task<> {
    process_pool_options small;
    small.size = 1;
    small.program = TROUPE_TEST_WORKER;
    co_await with_process_pool(small, [&](process_pool& processes) -> task<> {
      const auto job = [&](work& w) { return add_in_process(processes, w); };
      co_await with_worker_pool(options, job, body);
    });
  });
}

} // namespace

BOOST_AUTO_TEST_SUITE(process_workers)

BOOST_AUTO_TEST_CASE(job_whose_process_is_killed_is_done_again_where_the_policy_says_so) {
  worker_pool_options options;
  options.workers = 1;
  retry_policy policy;
  policy.first_delay = 1ms;
  policy.retries = died;
  options.retry = policy;
  with_processes(options, [](work_pool& pool) -> task<> {
    BOOST_TEST(co_await pool.run(work{41}) == 42);
    BOOST_TEST(pool.statistics().retried == 1U);
    BOOST_TEST(pool.statistics().workers_lost == 0U); // the task has lost nothing
  });
}

BOOST_AUTO_TEST_CASE(else_it_is_reported_with_its_signal) {
  worker_pool_options options;
  options.workers = 1;
  with_processes(options, [](work_pool& pool) -> task<> {
    const auto result = co_await as_outcome(pool.run(work{1}));
    BOOST_TEST(died(result.error()));
    auto letters = pool.dead_letters();
    co_await pool.submit(work{2});
    co_await pool.drain();
    const auto letter = letters.try_receive();
    BOOST_TEST_REQUIRE(letter.has_value());
    BOOST_TEST(letter->job.number == 2);
    BOOST_TEST(died(letter->error));
    work third{3, 1};
    BOOST_TEST(co_await pool.run(third) == 4); // others go on
  });
}

BOOST_AUTO_TEST_CASE(job_that_hangs_in_its_process_is_killed_at_its_limit) {
  worker_pool_options options;
  options.workers = 1;
  run([&]() -> task<> {
    process_pool_options small;
    small.size = 1;
    small.program = TROUPE_TEST_WORKER;
    co_await with_process_pool(small, [&](process_pool& processes) -> task<> {
      const auto job = [&](int& x) -> task<int> {
        if (x == 0)
          co_await processes.run(jobs::block);
        co_return co_await processes.run(jobs::add, x, x);
      };
      co_await with_worker_pool(options, job, [](worker_pool<int, int>& pool) -> task<> {
        const auto late = co_await as_outcome(pool.run(0, {.limit = 50ms}));
        BOOST_CHECK_THROW(std::rethrow_exception(late.error()), timeout_error);
        BOOST_TEST(co_await pool.run(4) == 8);
      });
    });
  });
}

BOOST_AUTO_TEST_SUITE_END()
