// SPDX-License-Identifier: BSD-3-Clause
// P4 and P5 for what waits for threads; see awaitables_test.cpp.
#include "support/awaitable_trials.hpp"

#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <latch>
#include <memory>

using namespace troupe;
using troupe_test::run_trials;
using troupe_test::trial;

namespace {

/// One pool with one thread.
struct situation {
  thread_pool pool{1};
  std::latch busy{1};
  std::latch open{1};
  std::atomic<int> ran = 0;
};

/// A job that waits for a thread: it has not begun.
trial queued(bool abandonable) {
  auto s = std::make_shared<situation>();
  const thread_options options{.pool = &s->pool, .abandon_on_cancel = abandonable};
  trial t;
  t.begin = [s](nursery& n) {
    n.start_soon(
      [](std::shared_ptr<situation> x) -> task<> {
        thread_options mine{.pool = &x->pool};
        co_await to_thread(mine, [&x] {
          x->busy.count_down();
          x->open.wait();
        });
      },
      s);
  };
  t.waiting = [s, options]() -> task<> {
    s->busy.wait();
    co_await to_thread(options, [&s] { ++s->ran; });
  };
  t.untouched = [s] {
    s->open.count_down();
    return s->ran == 0;
  };
  return t;
}

trial at_once(bool abandonable) {
  auto s = std::make_shared<situation>();
  const thread_options options{.pool = &s->pool, .abandon_on_cancel = abandonable};
  trial t;
  t.now = [s, options]() -> task<> { co_await to_thread(options, [&s] { ++s->ran; }); };
  t.untouched = [s] { return s->ran == 0; };
  return t;
}

} // namespace

BOOST_AUTO_TEST_SUITE(thread_awaitables)

// What runs without being abandoned: see threads/p03_a_job_that_runs_is_waited_for.
BOOST_AUTO_TEST_CASE(p04_p05_to_thread) {
  run_trials({
    {"to_thread", true, [] { return at_once(false); }},
    {"to_thread in the queue", true, [] { return queued(false); }},
    {"to_thread, which abandons", true, [] { return at_once(true); }},
    {"to_thread in the queue, which abandons", true, [] { return queued(true); }},
    {"to_thread while it runs, which abandons", true,
     [] {
       auto s = std::make_shared<situation>();
       trial t;
       t.waiting = [s]() -> task<> {
         thread_options options{.abandon_on_cancel = true};
         co_await to_thread(
           options, [](std::shared_ptr<situation> x) { x->open.wait(); }, s);
       };
       t.untouched = [s] {
         s->open.count_down(); // the end of the run waits for it
         return true;
       };
       return t;
     }},
  });
}

BOOST_AUTO_TEST_SUITE_END()
