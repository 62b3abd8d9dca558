// SPDX-License-Identifier: BSD-3-Clause
// P4 and P5 for processes and signals; see awaitables_test.cpp.
#include "process_functions.hpp"
#include "support/awaitable_trials.hpp"
#include "support/children.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>

using namespace troupe;
using namespace std::chrono_literals;
using troupe_test::no_children;
using troupe_test::run_trials;
using troupe_test::trial;

namespace {

/// Its end is known to everybody when this returns.
void end_now(process& p) {
  p.kill();
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(p.pid()), &info, WEXITED | WNOWAIT);
}

} // namespace

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

BOOST_AUTO_TEST_CASE(p04_p05_processes) {
  run_trials({
    {"process::wait", true,
     [] {
       struct state {
         std::optional<process> p;
         bool ended = false;
       };
       auto s = std::make_shared<state>();
       trial t;
       t.setup = [s]() -> task<> {
         s->p.emplace(command("sleep", "1000"));
         co_return;
       };
       t.make_ready = [s] { end_now(*s->p); };
       t.waiting = [s]() -> task<> {
         co_await s->p->wait();
         s->ended = true;
       };
       t.arm = [s](nursery& n, std::function<void()> then) {
         n.start_soon(
           [](process& p, nursery& others, std::function<void()> f) -> task<> {
             co_await sleep_for(1s); // waits after the other: the poller tells it first
             others.start_soon(
               [](process& that) -> task<> {
                 end_now(that);
                 co_return;
               },
               std::ref(p));
             co_await p.wait();
             f();
           },
           std::ref(*s->p), std::ref(n), std::move(then));
       };
       t.untouched = [s] { return !s->ended; };
       t.done = [s] { return s->ended; };
       return t;
     }},
    {"process::stop", false,
     [] {
       auto p = std::make_shared<std::optional<process>>();
       trial t;
       t.setup = [p]() -> task<> {
         p->emplace(command("sleep", "1000"));
         co_return;
       };
       t.now = [p]() -> task<> { co_await (*p)->stop(); };
       return t;
     }},
    {"run_process", true,
     [] {
       trial t;
       t.now = []() -> task<> { co_await run_process(command("true")); };
       t.waiting = []() -> task<> { co_await run_process(command("sleep", "1000")); };
       t.untouched = [] { return no_children(); };
       t.real_time = true;
       return t;
     }},
    {"open_process", true,
     [] {
       trial t;
       t.now = []() -> task<> {
         process p = co_await open_process(command("true"));
         co_await p.wait();
       };
       t.untouched = [] { return no_children(); };
       t.real_time = true;
       return t;
     }},
    {"with_process", true, // its body here; else it says that it is none
     [] {
       trial t;
       t.waiting = []() -> task<> {
         co_await with_process(command("sleep", "1000"),
                               [](process& p) -> task<> { co_await p.wait(); });
       };
       t.untouched = [] { return no_children(); };
       t.real_time = true;
       return t;
     }},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_process_pools) {
  const auto with_pool = [](auto body) {
    return [body]() -> task<> {
      const process_pool_options options{.size = 1, .program = TROUPE_TEST_WORKER};
      co_await with_process_pool(options, body);
    };
  };
  run_trials({
    {"process_pool::run", true,
     [&] {
       trial t;
       t.now = with_pool([](process_pool& p) -> task<> { co_await p.run(jobs::nothing); });
       t.waiting = with_pool([](process_pool& p) -> task<> { co_await p.run(jobs::block); });
       t.untouched = [] { return no_children(); };
       t.real_time = true;
       return t;
     }},
    {"with_process_pool", false,
     [&] {
       trial t;
       t.now = with_pool([](process_pool&) -> task<> { co_return; });
       t.untouched = [] { return no_children(); };
       return t;
     }},
    {"process_pool::close", true,
     [&] {
       trial t;
       t.now = with_pool([](process_pool& p) -> task<> { co_await p.close(); });
       return t;
     }},
  });
}

BOOST_AUTO_TEST_SUITE_END()
