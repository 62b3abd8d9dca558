// SPDX-License-Identifier: BSD-3-Clause
// P4 and P5 for what paces, finds and publishes; see tests/runtime/awaitables_test.cpp.
#include "support/awaitable_trials.hpp"

#include <troupe/actors/actor_registry.hpp>
#include <troupe/actors/circuit_breaker.hpp>
#include <troupe/actors/debouncer.hpp>
#include <troupe/actors/periodic.hpp>
#include <troupe/actors/publish_group.hpp>
#include <troupe/actors/rate_limiter.hpp>
#include <troupe/actors/registry.hpp>
#include <troupe/answer.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

using namespace troupe;
using namespace std::chrono_literals;
using troupe_test::run_trials;
using troupe_test::trial;

namespace {

/// An await that only waits.
template <class State>
std::function<trial()> only_waiting(task<> (*op)(State&)) {
  return [op] {
    auto x = std::make_shared<State>();
    trial t;
    t.waiting = [x, op] { return op(*x); };
    return t;
  };
}

/// Something that is served by the mailbox of the waiting task.
template <class Served>
std::function<trial()> serving() {
  return only_waiting<Served>([](Served& x) -> task<> {
    mailbox in = this_mailbox();
    co_await x.serve(in);
  });
}

/// In one second, a moment before the one that waits.
void in_a_second(nursery& n, std::function<void()> then) {
  n.start_soon(
    [](std::function<void()> f) -> task<> {
      co_await sleep_for(1s);
      f();
    },
    std::move(then));
}

struct limited {
  rate_limiter full{{.rate = 1}};
  rate_limiter empty{{.rate = 1}};
};

struct breaking {
  circuit_breaker breaker{{}};
  event go;
};

struct listed {
  registry<int> names;
  int thing = 1;
  registry<int>::registration here;
};

struct asked {
  event listen;
  std::optional<actor_registry> names;
};

/// A request to a registry that listens when the event is set.
std::function<trial()> asking(std::function<task<>(const actor_registry&)> op) {
  return [op] {
    auto x = std::make_shared<asked>();
    trial t;
    t.begin = [x](nursery& n) {
      const auto late = [](mailbox& in, std::shared_ptr<asked> y) -> task<> {
        co_await y->listen.wait();
        co_await serve_actor_registry(in);
      };
      x->names.emplace(n.start_actor(late, x).address());
    };
    t.make_ready = [x] { x->listen.set(); };
    t.waiting = [x, op] { return op(*x->names); };
    return t;
  };
}

struct publishing {
  publish_group<int> group;
  subscription<int> one = group.subscribe("a", {1, when_slow::wait});
  subscription<int> other = group.subscribe("a", {2, when_slow::drop_newest});
};

struct served_group : publish_group<int> {};
struct served_limiter : rate_limiter {
  served_limiter() : rate_limiter({}) {}
};
struct served_debouncer : debouncer {
  served_debouncer() : debouncer({}) {}
};

task<> no_op() { co_await checkpoint(); }

} // namespace

BOOST_AUTO_TEST_SUITE(pacing_awaitables)

BOOST_AUTO_TEST_CASE(p04_p05_rate_limiter_and_circuit_breaker) {
  run_trials({
    {"rate_limiter::acquire", true,
     [] {
       auto x = std::make_shared<limited>();
       trial t;
       t.setup = [x]() -> task<> { co_await x->empty.acquire(); };
       t.now = [x]() -> task<> { co_await x->full.acquire(); };
       t.waiting = [x]() -> task<> { co_await x->empty.acquire(); };
       t.arm = in_a_second;
       t.untouched = [x] { return x->full.try_acquire(); };
       return t;
     }},
    {"rate_limiter::serve", true, serving<served_limiter>()},
    {"circuit_breaker::call", true,
     [] {
       auto x = std::make_shared<breaking>();
       trial t;
       t.make_ready = [x] { x->go.set(); };
       t.waiting = [x]() -> task<> {
         const auto body = [&]() -> task<> { co_await x->go.wait(); };
         co_await x->breaker.call(body);
       };
       t.complete = t.make_ready;
       t.done = [x] { return x->breaker.statistics().succeeded == 1; };
       return t;
     }},
    {"as_answer", true,
     [] {
       auto x = std::make_shared<breaking>();
       trial t;
       t.make_ready = [x] { x->go.set(); };
       t.waiting = [x]() -> task<> {
         const auto work = [&]() -> task<> { co_await x->go.wait(); };
         static_cast<void>(co_await as_answer(work()));
       };
       t.complete = t.make_ready;
       return t;
     }},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_jobs) {
  run_trials({
    {"run_periodically", true,
     [] {
       trial t;
       t.now = []() -> task<> {
         periodic_options options;
         options.runs = 1;
         co_await run_periodically(options, no_op);
       };
       t.waiting = []() -> task<> {
         periodic_options options;
         options.first = 1h;
         co_await run_periodically(options, no_op);
       };
       return t;
     }},
    {"debouncer::run", true,
     only_waiting<served_debouncer>([](served_debouncer& d) -> task<> { co_await d.run(no_op); })},
    {"debouncer::flush", true,
     [] {
       auto d = std::make_shared<served_debouncer>();
       trial t;
       t.now = [d]() -> task<> { co_await d->flush(); };
       t.waiting = [d]() -> task<> {
         d->trigger();
         co_await d->flush();
       };
       return t;
     }},
    {"debouncer::serve", true, serving<served_debouncer>()},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_registries) {
  run_trials({
    {"registry::wait_for", true,
     [] {
       auto x = std::make_shared<listed>();
       trial t;
       t.make_ready = [x] { x->here = x->names.add("a", x->thing); };
       t.waiting = [x]() -> task<> { static_cast<void>(co_await x->names.wait_for("a")); };
       t.complete = t.make_ready;
       return t;
     }},
    {"actor_registry::add", true,
     asking([](const actor_registry& names) -> task<> { co_await names.add("a", self()); })},
    {"actor_registry::remove", true,
     asking([](const actor_registry& names) -> task<> { co_await names.remove("a"); })},
    {"actor_registry::find", true, asking([](const actor_registry& names) -> task<> {
       static_cast<void>(co_await names.find("a"));
     })},
    {"actor_registry::names", true, asking([](const actor_registry& names) -> task<> {
       static_cast<void>(co_await names.names());
     })},
    {"actor_registry::wait_for", true, asking([](const actor_registry& names) -> task<> {
       co_await names.add("a", self());
       static_cast<void>(co_await names.wait_for("a"));
     })},
    {"serve_actor_registry", true, only_waiting<int>([](int&) -> task<> {
       mailbox in = this_mailbox();
       co_await serve_actor_registry(in);
     })},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_publish_group) {
  run_trials({
    {"publish_group::publish", true,
     [] {
       auto x = std::make_shared<publishing>();
       trial t;
       t.setup = [x]() -> task<> {
         co_await x->group.publish("a", 1);
         static_cast<void>(x->other.try_next());
       };
       t.make_ready = [x] { static_cast<void>(x->one.try_next()); };
       t.waiting = [x]() -> task<> { co_await x->group.publish("a", 2); };
       t.complete = t.make_ready;
       t.untouched = [x] { return x->other.try_next() == nullptr; };
       t.done = [x] { return x->other.try_next() != nullptr; };
       return t;
     }},
    {"subscription::next", true,
     [] {
       auto x = std::make_shared<publishing>();
       trial t;
       t.make_ready = [x] { static_cast<void>(x->group.try_publish("a", 1)); };
       t.waiting = [x]() -> task<> { static_cast<void>(co_await x->one.next()); };
       t.complete = t.make_ready;
       return t;
     }},
    {"publish_group::serve", true, serving<served_group>()},
  });
}

BOOST_AUTO_TEST_SUITE_END()
