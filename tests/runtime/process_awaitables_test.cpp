// SPDX-License-Identifier: BSD-3-Clause
// P4 and P5 for processes and signals; see awaitables_test.cpp.
#include "support/awaitable_trials.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <csignal>
#include <memory>

using namespace troupe;
using namespace std::chrono_literals;
using troupe_test::run_trials;
using troupe_test::trial;

BOOST_AUTO_TEST_SUITE(process_awaitables)

BOOST_AUTO_TEST_CASE(p04_p05_signals) {
  run_trials({
    {"signal_receiver::next", true,
     [] {
       struct state {
         std::unique_ptr<signal_receiver> signals;
         int heard = 0;
       };
       auto s = std::make_shared<state>();
       trial t;
       t.setup = [s]() -> task<> {
         s->signals = std::make_unique<signal_receiver>(std::vector<int>{SIGUSR1});
         co_return;
       };
       t.make_ready = [] { ::raise(SIGUSR1); };
       t.waiting = [s]() -> task<> { s->heard = co_await s->signals->next(); };
       t.arm = [](nursery& n, std::function<void()> then) {
         n.start_soon(
           [](nursery& others, std::function<void()> f) -> task<> {
             co_await sleep_for(1s);
             signal_receiver first({SIGUSR1}); // the poller tells it first
             others.start_soon([]() -> task<> {
               ::raise(SIGUSR1);
               co_return;
             });
             static_cast<void>(co_await first.next());
             f();
           },
           std::ref(n), std::move(then));
       };
       t.untouched = [s] { return s->heard == 0; };
       t.done = [s] { return s->heard == SIGUSR1; };
       return t;
     }},
  });
}

BOOST_AUTO_TEST_SUITE_END()
