// SPDX-License-Identifier: BSD-3-Clause
// P4 and P5 for supervisors and pools; see tests/runtime/awaitables_test.cpp.
#include "supervised.hpp"
#include "support/awaitable_trials.hpp"

#include <troupe/actors/connection_pool.hpp>
#include <troupe/actors/supervisor.hpp>
#include <troupe/actors/worker_pool.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using namespace troupe_test;
using troupe_test::run_trials;
using troupe_test::trial;

namespace {

struct supervised {
  supervisor* s = nullptr;
  std::string log;
  child_spec plain = sleeper(log, "a");
  event ready;
  child_spec slow{.name = "slow", .start = [this](task_status<>& status) -> task<> {
                    co_await ready.wait();
                    status.started();
                    co_await sleep_forever();
                  }};
};

/// `op` on a supervisor that has a child "a", which runs or is stopped.
std::function<trial()> managing(std::function<task<>(supervised&)> now,
                                std::function<task<>(supervised&)> waiting, bool stopped) {
  return [=] {
    auto x = std::make_shared<supervised>();
    trial t;
    t.begin = [x, stopped](nursery& n) {
      n.start_soon(
        [](std::shared_ptr<supervised> y, bool stop) -> task<> {
          supervisor_options options = quiet();
          co_await with_supervisor(options, [&](supervisor& s) -> task<> {
            co_await s.start_child(y->plain);
            if (stop)
              co_await s.stop_child("a");
            y->s = &s;
            co_await sleep_forever();
          });
        },
        x, stopped);
    };
    if (now)
      t.now = [x, now] { return now(*x); };
    if (waiting)
      t.waiting = [x, waiting] { return waiting(*x); };
    return t;
  };
}

task<int> wait_for_event(event& e) {
  co_await e.wait();
  co_return 1;
}

struct working {
  worker_pool<int, int>* pool = nullptr;
  event go;
};

/// `op` on a pool of one worker, whose queue has room for one job; each waits for `go`.
std::function<trial()> pooled(std::function<task<>(working&)> op, bool full) {
  return [=] {
    auto x = std::make_shared<working>();
    trial t;
    t.begin = [x, full](nursery& n) {
      n.start_soon(
        [](std::shared_ptr<working> y, bool fill) -> task<> {
          worker_pool_options options;
          options.workers = 1;
          options.queue = 1;
          const auto job = [&](int&) { return wait_for_event(y->go); };
          co_await with_worker_pool(options, job, [&](worker_pool<int, int>& pool) -> task<> {
            for (int i = 0; fill && i < 2; ++i)
              co_await pool.submit(i);
            y->pool = &pool;
            co_await sleep_forever();
          });
        },
        x, full);
    };
    t.make_ready = [x] { x->go.set(); };
    t.waiting = [x, op] { return op(*x); };
    return t;
  };
}

struct lending {
  connection_pool<int>* pool = nullptr;
  event open;
};

} // namespace

BOOST_AUTO_TEST_SUITE(actors_awaitables)

BOOST_AUTO_TEST_CASE(p04_p05_supervisor) {
  run_trials({
    {"supervisor::start_child", true,
     managing(
       [](supervised& x) -> task<> {
         const child_spec other = sleeper(x.log, "b");
         co_await x.s->start_child(other);
       },
       [](supervised& x) -> task<> { co_await x.s->start_child(x.slow); }, false)},
    {"supervisor::stop_child", true,
     managing([](supervised& x) -> task<> { co_await x.s->stop_child("a"); }, {}, false)},
    {"supervisor::restart_child", true,
     managing([](supervised& x) -> task<> { co_await x.s->restart_child("a"); }, {}, true)},
    {"supervisor::delete_child", true,
     managing([](supervised& x) -> task<> { co_await x.s->delete_child("a"); }, {}, true)},
    {"supervisor::serve", true,
     managing(
       {},
       [](supervised& x) -> task<> {
         mailbox in = this_mailbox();
         co_await x.s->serve(in);
       },
       false)},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_running_a_supervisor) {
  const auto running = [](auto run) {
    return [run] {
      auto x = std::make_shared<supervised>();
      trial t;
      t.waiting = [x, run] { return run(*x); };
      return t;
    };
  };
  run_trials({
    {"with_supervisor", true, running([](supervised& x) -> task<> {
       supervisor_options options = quiet();
       co_await with_supervisor(options,
                                [&](supervisor& s) -> task<> { co_await s.start_child(x.plain); });
     })},
    {"supervisor::run", true, running([](supervised& x) -> task<> {
       supervisor_options options = quiet();
       const std::function<task<>(supervisor&)> body = [&](supervisor& s) {
         return s.start_child(x.plain);
       };
       co_await supervisor::run(options, body);
     })},
    {"supervise", true, running([](supervised& x) -> task<> {
       std::vector<child_spec> children(1, x.plain);
       supervisor_options options = quiet();
       co_await supervise(options, children);
     })},
    {"child_start::launch", true, running([](supervised& x) -> task<> {
       co_await with_nursery([&](nursery& n) -> task<> {
         bool completed = false;
         caf::actor address;
         co_await x.slow.start.launch(n, "slow", std::nullopt, completed, address);
       });
     })},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_worker_pool) {
  run_trials({
    {"worker_pool::run", true,
     pooled([](working& x) -> task<> { BOOST_TEST(co_await x.pool->run(1) == 1); }, false)},
    {"worker_pool::submit", true,
     pooled([](working& x) -> task<> { co_await x.pool->submit(1); }, true)},
    {"worker_pool::drain", true,
     pooled([](working& x) -> task<> { co_await x.pool->drain(); }, true)},
    {"worker_pool::serve", true,
     [] {
       trial t = pooled(
         [](working& x) -> task<> {
           mailbox in = this_mailbox();
           co_await x.pool->serve(in);
         },
         false)();
       t.make_ready = {}; // it never is
       return t;
     }},
    {"with_worker_pool", true,
     [] {
       trial t;
       t.waiting = []() -> task<> {
         worker_pool_options options;
         const auto job = [](int& x) -> task<int> {
           co_await sleep_forever();
           co_return x;
         };
         co_await with_worker_pool(
           options, job, [](worker_pool<int, int>& pool) -> task<> { co_await pool.submit(1); });
       };
       return t;
     }},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_connection_pool) {
  const auto opening = [](lending& x) {
    connection_functions<int> functions;
    functions.open = [&x] { return wait_for_event(x.open); };
    return functions;
  };
  run_trials({
    {"connection_pool::borrow", true,
     [opening] {
       auto x = std::make_shared<lending>();
       trial t;
       t.begin = [x, opening](nursery& n) {
         n.start_soon(
           [](std::shared_ptr<lending> y, auto functions_of) -> task<> {
             connection_pool_options options;
             const auto functions = functions_of(*y);
             co_await with_connection_pool(options, functions,
                                           [&](connection_pool<int>& pool) -> task<> {
                                             y->pool = &pool;
                                             co_await sleep_forever();
                                           });
           },
           x, opening);
       };
       t.make_ready = [x] { x->open.set(); };
       t.waiting = [x]() -> task<> { static_cast<void>(co_await x->pool->borrow()); };
       t.complete = t.make_ready;
       return t;
     }},
    {"with_connection_pool", true,
     [opening] {
       auto x = std::make_shared<lending>();
       trial t;
       t.waiting = [x, opening]() -> task<> {
         connection_pool_options options;
         const auto functions = opening(*x);
         co_await with_connection_pool(
           options, functions, [](connection_pool<int>&) -> task<> { co_await sleep_forever(); });
       };
       return t;
     }},
  });
}

BOOST_AUTO_TEST_SUITE_END()
