// SPDX-License-Identifier: BSD-3-Clause
// Supervisors as owners of what services are made of: pools, and ordinary actors that do not want
// to end.
#include "supervised.hpp"

#include <troupe/actors/connection_pool.hpp>
#include <troupe/actors/supervisor.hpp>
#include <troupe/actors/worker_pool.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using namespace troupe_test;
using testing::run_virtually;

namespace {

/// One of something, counted as long as it lives.
class counted {
public:
  explicit counted(int& open) : open_(open) { ++open_; }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  ~counted() { --open_; }

private:
  int& open_;
};

using line = std::unique_ptr<counted>;
using line_pool = connection_pool<line>;
using job_pool = worker_pool<int, int>;

connection_functions<line> lines_of(int& open) {
  connection_functions<line> functions;
  functions.open = [&open]() -> task<line> {
    co_await sleep_for(1ms);
    co_return std::make_unique<counted>(open);
  };
  return functions;
}

/// A pool of connections, a pool of workers that borrow them, and who has work for these: each
/// uses the one before it.
struct office {
  std::string log;
  int open = 0;   // connections
  int jobs = 0;   // under way
  int worked = 0; // jobs
  int done = 0;   // of these, with somebody who has waited
  int fronts = 0; // lives
  line_pool* lines = nullptr;
  job_pool* workers = nullptr;

  task<> run_lines(task_status<>& status) {
    BOOST_TEST(open == 0);
    const trace t(log, "lines ");
    const connection_pool_options options;
    const auto functions = lines_of(open);
    co_await with_connection_pool(options, functions, [&](line_pool& pool) -> task<> {
      lines = &pool;
      status.started();
      co_await sleep_forever();
    });
  }

  task<int> work(int& job) {
    const counted under_way(jobs);
    const auto lent = co_await lines->borrow();
    co_await sleep_for(1s);
    ++worked;
    co_return 2 * job;
  }

  task<> run_workers(task_status<>& status) {
    BOOST_TEST(jobs == 0);
    const trace t(log, "workers ");
    const worker_pool_options options;
    const auto function = [this](int& job) { return work(job); };
    co_await with_worker_pool(options, function, [&](job_pool& pool) -> task<> {
      workers = &pool;
      status.started();
      co_await sleep_forever();
    });
  }

  /// Fails in its first life, with work under way.
  task<> run_front() {
    const trace t(log, "front ");
    ++fronts;
    co_await with_nursery([&](nursery& n) -> task<> {
      if (fronts == 1)
        n.start_soon([]() -> task<> {
          co_await sleep_for(2500ms);
          throw std::runtime_error("crash");
        });
      for (int i = 0; i < 20; ++i) {
        n.start_soon([this, i]() -> task<> {
          const int result = co_await workers->run(i);
          BOOST_TEST(result == 2 * i);
          ++done;
        });
        co_await workers->submit(i); // nobody waits for it: it outlives the front
      }
    });
    co_await sleep_forever();
  }

  std::vector<child_spec> children() {
    return {
      {.name = "lines", .start = [this](task_status<>& s) { return run_lines(s); }},
      {.name = "workers", .start = [this](task_status<>& s) { return run_workers(s); }},
      {.name = "front", .start = [this]() { return run_front(); }},
    };
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(supervised_services)

BOOST_AUTO_TEST_CASE(p15_pools_are_children_that_outlive_those_who_use_them) {
  office o;
  run_virtually([&]() -> task<> {
    supervisor_options options = quiet();
    options.restart_strategy = strategy::one_for_all;
    co_await move_on_after(1h, [&]() -> task<> { co_await supervise(options, o.children()); });
  });
  BOOST_TEST(o.log
             == "+lines +workers +front -front -workers -lines "
                "+lines +workers +front -front -workers -lines ");
  BOOST_TEST(o.fronts == 2);
  BOOST_TEST(o.done == 20);   // those of the second life
  BOOST_TEST(o.worked == 48); // all of these, and by four workers in the time of the first one
  BOOST_TEST(o.jobs == 0);
  BOOST_TEST(o.open == 0);
}

BOOST_AUTO_TEST_CASE(p15_pools_that_are_cut_off_with_work_under_way_leave_nothing) {
  for (const duration when : {duration(0), duration(1ms), duration(500ms), duration(1500ms)}) {
    office o;
    o.fronts = 1; // it does not fail
    run_virtually([&]() -> task<> {
      co_await move_on_after(when, [&]() -> task<> { co_await supervise(quiet(), o.children()); });
    });
    BOOST_TEST((when == 0s || o.log.ends_with("-front -workers -lines ")), o.log);
    BOOST_TEST(o.jobs == 0);
    BOOST_TEST(o.open == 0);
  }
}

BOOST_AUTO_TEST_CASE(pools_behind_an_actor_are_restarted_with_it_and_reached_by_its_new_address) {
  int open = 0;
  std::vector<int> opened_at_the_start;
  run_virtually([&]() -> task<> {
    const child_spec db{.name = "db", .start = [&](mailbox& in) -> task<> {
                          opened_at_the_start.push_back(open);
                          connection_pool_options options;
                          options.max = 2;
                          const auto functions = lines_of(open);
                          co_await with_connection_pool(
                            options, functions, [&](line_pool& pool) -> task<> {
                              co_await in.serve(concurrent{10}, [&](int n) -> task<int> {
                                const auto lent = co_await pool.borrow();
                                co_await sleep_for(1s);
                                if (n < 0)
                                  throw std::runtime_error("crash");
                                co_return n + 1;
                              });
                            });
                        }};
    const child_spec workers{.name = "workers", .start = [](mailbox& in) -> task<> {
                               const worker_pool_options options;
                               const auto twice = [](int& job) -> task<int> {
                                 co_await sleep_for(1s);
                                 if (job < 0)
                                   throw std::runtime_error("no such job");
                                 co_return 2 * job;
                               };
                               co_await with_worker_pool(
                                 options, twice,
                                 [&](job_pool& pool) -> task<> { co_await pool.serve(in); });
                             }};
    supervisor_options options = quiet();
    co_await with_supervisor(options, [&](supervisor& s) -> task<> {
      co_await s.start_child(db);
      co_await s.start_child(workers);
      const auto ask = [&](std::size_t child, int n) -> task<int> {
        co_return co_await request<int>(s.children()[child].address, 1min, n);
      };
      BOOST_TEST(co_await ask(0, 1) == 2);
      co_await with_nursery([&](nursery& n) -> task<> {
        for (const int bad : {-1, 3, 4}) // together with the one that fails, or behind it
          n.start_soon([&, bad]() -> task<> {
            const auto lost = co_await as_outcome(ask(0, bad));
            BOOST_TEST((lost.failed() || bad == 3));
          });
        co_return;
      });
      co_await sleep_for(1s);
      BOOST_TEST(co_await ask(0, 5) == 6);
      BOOST_TEST(co_await ask(1, 5) == 10);
      const auto refused = co_await as_outcome(ask(1, -1));
      BOOST_TEST(refused.failed());
      BOOST_TEST(co_await ask(1, 6) == 12); // that was no failure of the pool
      co_await s.stop_child("workers");
      co_await s.restart_child("workers");
      BOOST_TEST(co_await ask(1, 7) == 14);
      BOOST_TEST(s.children()[0].restarts == 1u);
      BOOST_TEST(s.children()[1].restarts == 0u);
      co_await s.stop_child("workers");
      co_await s.stop_child("db");
      BOOST_TEST(open == 0);
    });
  });
  BOOST_TEST((opened_at_the_start == std::vector<int>{0, 0}));
}

BOOST_AUTO_TEST_CASE(p16_an_ordinary_actor_that_refuses_to_end_is_killed_before_its_next_life) {
  int asked = 0;
  int living = 0;
  int lives = 0;
  std::vector<caf::error> reasons;
  std::vector<duration> took;
  const auto stubborn = [&]() {
    BOOST_TEST(living == 0);
    ++living;
    ++lives;
    caf::actor a = actor_system().spawn([&](caf::event_based_actor* me) {
      me->set_exit_handler([&](const caf::exit_msg&) { ++asked; });
      return caf::behavior{[](int) {}};
    });
    a->attach_functor([&](const caf::error& why) {
      --living;
      reasons.push_back(why);
    });
    return a;
  };
  run_virtually([&]() -> task<> {
    supervisor_options options = quiet();
    options.restart_strategy = strategy::one_for_all;
    const time_point begin = current_time();
    co_await move_on_after(20s, [&]() -> task<> {
      co_await with_supervisor(options, [&](supervisor& s) -> task<> {
        const child_spec refuses{.name = "refuses", .start = caf_child(stubborn, 3s)};
        int failures = 0;
        const child_spec fails = crashes_once("fails", failures);
        co_await s.start_child(refuses);
        co_await s.start_child(fails);
        co_await sleep_for(5s); // the crash after one, and three until it is killed
        BOOST_TEST(lives == 2);
        const time_point now = current_time();
        co_await s.stop_child("refuses");
        took.push_back(current_time() - now);
        BOOST_TEST(living == 0);
        co_await s.restart_child("refuses");
        co_await sleep_forever(); // and cancelled
      });
    });
    took.push_back(current_time() - begin);
  });
  BOOST_TEST((took == std::vector<duration>{3s, 23s}));
  BOOST_TEST(asked == 3);
  BOOST_TEST(lives == 3);
  BOOST_TEST(living == 0);
  BOOST_REQUIRE(reasons.size() == 3u);
  for (const caf::error& why : reasons)
    BOOST_TEST((why == caf::exit_reason::kill));
}

BOOST_AUTO_TEST_SUITE_END()
