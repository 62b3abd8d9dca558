// SPDX-License-Identifier: BSD-3-Clause
// P4 and P5 for the whole API: each awaitable is cancelled before it begins, at its
// start, while it waits, and with its result on its way. `./dev check` looks that every
// public awaitable stands in this table.
#include "support/awaitable_trials.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <optional>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe_test::run_trials;
using troupe_test::trial;

BOOST_AUTO_TEST_SUITE(awaitables)

BOOST_AUTO_TEST_CASE(p04_p05_time) {
  run_trials({
    {"checkpoint", true,
     [] {
       trial t;
       t.now = []() -> task<> { co_await checkpoint(); };
       return t;
     }},
    {"sleep_for", true,
     [] {
       trial t;
       t.now = []() -> task<> { co_await sleep_for(0s); };
       t.waiting = []() -> task<> { co_await sleep_for(1s); };
       t.arm = [](nursery& n, std::function<void()> then) {
         n.start_soon(
           [](std::function<void()> f) -> task<> {
             co_await sleep_for(1s);
             f();
           },
           std::move(then));
       };
       return t;
     }},
    {"sleep_until", true,
     [] {
       trial t;
       t.now = []() -> task<> { co_await sleep_until(current_time()); };
       t.waiting = []() -> task<> { co_await sleep_until(current_time() + 1s); };
       t.arm = [](nursery& n, std::function<void()> then) {
         n.start_soon(
           [](std::function<void()> f) -> task<> {
             co_await sleep_for(1s);
             f();
           },
           std::move(then));
       };
       return t;
     }},
    {"sleep_forever", true,
     [] {
       trial t;
       t.waiting = []() -> task<> { co_await sleep_forever(); };
       return t;
     }},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_locks_and_events) {
  run_trials({
    {"event::wait", true,
     [] {
       auto e = std::make_shared<event>();
       trial t;
       t.make_ready = [e] { e->set(); };
       t.waiting = [e]() -> task<> { co_await e->wait(); };
       t.complete = [e] { e->set(); };
       return t;
     }},
    {"mutex::lock", true,
     [] {
       struct state {
         mutex m;
         mutex::guard held = m.try_lock();
       };
       auto s = std::make_shared<state>();
       trial t;
       t.make_ready = [s] { s->held.release(); };
       t.waiting = [s]() -> task<> { auto g = co_await s->m.lock(); };
       t.complete = [s] { s->held.release(); };
       t.untouched = [s] {
         s->held.release();
         return !s->m.locked();
       };
       return t;
     }},
    {"semaphore::acquire", true,
     [] {
       auto s = std::make_shared<semaphore>(0);
       trial t;
       t.make_ready = [s] { s->release(); };
       t.waiting = [s]() -> task<> { auto p = co_await s->acquire(); };
       t.complete = [s] { s->release(); };
       t.untouched = [s] {
         const auto before = s->value();
         s->release();
         return s->value() == before + 1; // nobody stands in the queue
       };
       return t;
     }},
    {"capacity_limiter::acquire", true,
     [] {
       struct state {
         capacity_limiter l{1};
         capacity_limiter::token held = l.try_acquire();
       };
       auto s = std::make_shared<state>();
       trial t;
       t.make_ready = [s] { s->held.release(); };
       t.waiting = [s]() -> task<> { auto p = co_await s->l.acquire(); };
       t.complete = [s] { s->held.release(); };
       t.untouched = [s] {
         s->held.release();
         return s->l.borrowed() == 0;
       };
       return t;
     }},
    {"shared_mutex::lock", true,
     [] {
       struct state {
         shared_mutex m;
         shared_mutex::shared_guard held;
       };
       auto s = std::make_shared<state>();
       trial t;
       t.setup = [s]() -> task<> { s->held = co_await s->m.lock_shared(); };
       t.make_ready = [s] { s->held.release(); };
       t.waiting = [s]() -> task<> { auto g = co_await s->m.lock(); };
       t.complete = [s] { s->held.release(); };
       return t;
     }},
    {"shared_mutex::lock_shared", true,
     [] {
       struct state {
         shared_mutex m;
         shared_mutex::guard held;
       };
       auto s = std::make_shared<state>();
       trial t;
       t.setup = [s]() -> task<> { s->held = co_await s->m.lock(); };
       t.make_ready = [s] { s->held.release(); };
       t.waiting = [s]() -> task<> { auto g = co_await s->m.lock_shared(); };
       t.complete = [s] { s->held.release(); };
       return t;
     }},
    {"condition::wait", true,
     [] {
       struct state {
         mutex m;
         condition c;
         mutex::guard mine;
       };
       auto s = std::make_shared<state>();
       trial t;
       t.setup = [s]() -> task<> { s->mine = co_await s->m.lock(); };
       t.waiting = [s]() -> task<> { co_await s->c.wait(s->mine); };
       t.complete = [s] { s->c.notify(); };
       t.done = [s] { return static_cast<bool>(s->mine); };
       return t;
     }},
    {"barrier::arrive_and_wait", true,
     [] {
       auto b = std::make_shared<barrier>(2);
       auto one = std::make_shared<barrier>(1);
       trial t;
       t.now = [one]() -> task<> { static_cast<void>(co_await one->arrive_and_wait()); };
       t.waiting = [b]() -> task<> { static_cast<void>(co_await b->arrive_and_wait()); };
       t.arm = [b](nursery& n, std::function<void()> then) {
         n.start_soon(
           [](std::shared_ptr<barrier> x, std::function<void()> f) -> task<> {
             co_await sleep_for(1s);
             BOOST_TEST(co_await x->arrive_and_wait());
             f();
           },
           b, std::move(then));
       };
       t.untouched = [b] { return b->waiting() == 0; };
       return t;
     }},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_channels) {
  using ends = channel_ends<int>;
  const auto channel = [](std::size_t n) { return std::make_shared<ends>(make_channel<int>(n)); };
  const auto receiving = [channel](auto receive) {
    return [=] {
      auto c = channel(1);
      trial t;
      t.make_ready = [c] { static_cast<void>(c->tx.try_send(1)); };
      t.waiting = [c, receive]() -> task<> { return receive(c); };
      t.complete = [c] { static_cast<void>(c->tx.try_send(1)); };
      t.untouched = [c] {
        const auto s = c->rx.statistics();
        return s.received == 0 && s.waiting_to_receive == 0 && s.buffered == s.sent;
      };
      return t;
    };
  };
  run_trials({
    {"send_channel::send", true,
     [channel] {
       auto c = channel(1);
       static_cast<void>(c->tx.try_send(0));
       trial t;
       t.make_ready = [c] { static_cast<void>(c->rx.try_receive()); };
       t.waiting = [c]() -> task<> { co_await c->tx.send(1); };
       t.complete = [c] { static_cast<void>(c->rx.try_receive()); };
       t.untouched = [c] {
         const auto s = c->rx.statistics();
         return s.sent == 1 && s.waiting_to_send == 0;
       };
       return t;
     }},
    {"send_channel::emplace", true,
     [channel] {
       auto c = channel(1);
       static_cast<void>(c->tx.try_send(0));
       trial t;
       t.make_ready = [c] { static_cast<void>(c->rx.try_receive()); };
       t.waiting = [c]() -> task<> { co_await c->tx.emplace(1); };
       t.complete = [c] { static_cast<void>(c->rx.try_receive()); };
       t.untouched = [c] {
         const auto s = c->rx.statistics();
         return s.sent == 1 && s.waiting_to_send == 0;
       };
       return t;
     }},
    {"receive_channel::receive", true, receiving([](std::shared_ptr<ends> c) -> task<> {
       static_cast<void>(co_await c->rx.receive());
     })},
    {"receive_channel::next", true, receiving([](std::shared_ptr<ends> c) -> task<> {
       static_cast<void>(co_await c->rx.next());
     })},
    {"receive_channel::receive_batch", true, receiving([](std::shared_ptr<ends> c) -> task<> {
       static_cast<void>(co_await c->rx.receive_batch(5));
     })},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_nurseries_and_handles) {
  run_trials({
    {"task", false, // a function call
     [] {
       auto e = std::make_shared<event>();
       trial t;
       t.now = []() -> task<> { co_await []() -> task<> { co_return; }(); };
       t.waiting = [e]() -> task<> { co_await [](event& x) -> task<> { co_await x.wait(); }(*e); };
       t.complete = [e] { e->set(); };
       return t;
     }},
    {"task_handle", true,
     [] {
       auto e = std::make_shared<event>();
       auto h = std::make_shared<task_handle<void>>();
       trial t;
       t.begin = [e, h](nursery& n) {
         *h = n.start_soon([](std::shared_ptr<event> x) -> task<> { co_await x->wait(); }, e);
       };
       t.make_ready = [e] { e->set(); };
       t.waiting = [h]() -> task<> { co_await *h; };
       t.arm = [h](nursery& n, std::function<void()> then) {
         n.start_soon(
           [](std::shared_ptr<task_handle<void>> x, std::function<void()> f) -> task<> {
             co_await *x; // before the other, so that it runs first
             f();
           },
           h, std::move(then));
       };
       t.complete = [e] { e->set(); };
       t.untouched = [h] { return !h->cancelled(); };
       return t;
     }},
    {"nursery::start", true,
     [] {
       auto e = std::make_shared<event>();
       auto target = std::make_shared<nursery*>();
       auto began = std::make_shared<bool>(false);
       trial t;
       t.begin = [target](nursery& n) { *target = &n; };
       t.now = [target, began]() -> task<> {
         co_await (*target)->start(
           [](task_status<>& s, std::shared_ptr<bool> b) -> task<> {
             *b = true;
             s.started();
             co_return;
           },
           began);
       };
       t.waiting = [e, target]() -> task<> {
         co_await (*target)->start(
           [](task_status<>& s, std::shared_ptr<event> x) -> task<> {
             co_await x->wait();
             s.started();
           },
           e);
       };
       t.complete = [e] { e->set(); };
       t.untouched = [began] { return !*began; };
       return t;
     }},
    {"with_nursery", false, // a checkpoint only where it waits for children
     [] {
       auto e = std::make_shared<event>();
       trial t;
       t.now = []() -> task<> { co_await with_nursery([](nursery&) -> task<> { co_return; }); };
       t.waiting = [e]() -> task<> {
         co_await with_nursery([&](nursery& n) -> task<> {
           n.start_soon([](std::shared_ptr<event> x) -> task<> { co_await x->wait(); }, e);
           co_return;
         });
       };
       t.complete = [e] { e->set(); };
       return t;
     }},
    {"stopping", true,
     [] {
       auto target = std::make_shared<nursery*>();
       trial t;
       t.begin = [target](nursery& n) { *target = &n; };
       t.make_ready = [target] { (*target)->stop(1h); };
       t.waiting = []() -> task<> { co_await stopping(); };
       t.complete = [target] { (*target)->stop(1h); };
       return t;
     }},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_scopes_and_clean_ups) {
  // none is a checkpoint by itself: what the body does is
  const auto around = [](auto open) {
    return [open] {
      auto e = std::make_shared<event>();
      auto none = []() -> task<> { co_return; };
      trial t;
      t.now = [open, none]() -> task<> { return open(std::function<task<>()>(none)); };
      t.waiting = [open, e]() -> task<> {
        return open(std::function<task<>()>([e]() -> task<> { co_await e->wait(); }));
      };
      t.complete = [e] { e->set(); };
      return t;
    };
  };
  using body = std::function<task<>()>;
  run_trials({
    {"with_cancel_scope", false,
     around([](body b) -> task<> { static_cast<void>(co_await with_cancel_scope(b)); })},
    {"move_on_after", false,
     around([](body b) -> task<> { static_cast<void>(co_await move_on_after(1h, b)); })},
    {"move_on_at", false, around([](body b) -> task<> {
       static_cast<void>(co_await move_on_at(current_time() + 1h, b));
     })},
    {"fail_after", false, around([](body b) -> task<> { co_await fail_after(1h, b); })},
    {"fail_at", false, around([](body b) -> task<> { co_await fail_at(current_time() + 1h, b); })},
    {"with_cleanup", false, around([](body b) -> task<> {
       co_await with_cleanup(b, []() -> task<> { co_await checkpoint(); });
     })},
    {"shielded", false, // the next test has more
     [] {
       trial t;
       t.now = []() -> task<> { co_await shielded([]() -> task<> { co_await checkpoint(); }); };
       return t;
     }},
    {"task_local::with", false, around([](body b) -> task<> {
       static task_local<int> local{0};
       co_await local.with(1, b);
     })},
  });
}

BOOST_AUTO_TEST_CASE(p04_shielded_is_not_cancelled_while_it_runs) {
  troupe::testing::run_virtually([]() -> task<> {
    bool ended = false, after = false;
    co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      s.cancel(); // before
      co_await shielded([&]() -> task<> {
        s.cancel(); // during
        co_await sleep_for(1s);
        ended = true;
      });
      co_await checkpoint();
      after = true;
    });
    BOOST_TEST(ended);
    BOOST_TEST(!after);
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_combinators) {
  // each runs one task, which waits for an event that is set or is not
  const auto over = [](auto combine) {
    return [combine] {
      auto e = std::make_shared<event>();
      trial t;
      t.make_ready = [e] { e->set(); };
      t.waiting = [combine, e]() -> task<> { return combine(e); };
      t.complete = [e] { e->set(); };
      return t;
    };
  };
  // each watches a task that runs already
  const auto watching = [](auto watch) {
    return [watch] {
      auto e = std::make_shared<event>();
      auto h = std::make_shared<task_handle<void>>();
      trial t;
      t.begin = [e, h](nursery& n) {
        *h = n.start_soon([](std::shared_ptr<event> x) -> task<> { co_await x->wait(); }, e);
      };
      t.make_ready = [e] { e->set(); };
      t.arm = [h](nursery& n, std::function<void()> then) {
        n.start_soon(
          [](std::shared_ptr<task_handle<void>> x, std::function<void()> f) -> task<> {
            co_await *x; // before the other, so that it runs first
            f();
          },
          h, std::move(then));
      };
      t.waiting = [h, watch]() -> task<> { return watch(h); };
      t.complete = [e] { e->set(); };
      t.untouched = [h] { return !h->cancelled(); };
      return t;
    };
  };
  using shared_event = std::shared_ptr<event>;
  using shared_handle = std::shared_ptr<task_handle<void>>;
  const auto one = [](shared_event e) -> task<> { co_await e->wait(); };
  run_trials({
    {"gather", true, over([one](shared_event e) -> task<> {
       std::vector<task<>> tasks;
       tasks.push_back(one(e));
       co_await gather(std::move(tasks));
     })},
    {"gather_settled", true, over([one](shared_event e) -> task<> {
       std::vector<task<>> tasks;
       tasks.push_back(one(e));
       static_cast<void>(co_await gather_settled(std::move(tasks)));
     })},
    {"race", true, over([one](shared_event e) -> task<> {
       std::vector<task<>> tasks;
       tasks.push_back(one(e));
       static_cast<void>(co_await race(std::move(tasks)));
     })},
    {"map_concurrently", true, over([](shared_event e) -> task<> {
       const std::vector<int> range{1};
       // named: g++ 12 destroys it twice otherwise
       const auto f = [e](int) -> task<> { co_await e->wait(); };
       co_await map_concurrently(range, 1, f);
     })},
    {"wait_for", true, over([one](shared_event e) -> task<> { co_await wait_for(one(e), 1h); })},
    {"wait_for of a handle", true,
     watching([](shared_handle h) -> task<> { co_await wait_for(*h, 1h); })},
    {"wait", true, watching([](shared_handle h) -> task<> {
       std::vector<task_handle<void>> handles{*h};
       static_cast<void>(co_await wait(handles));
     })},
    {"as_completed::next", true, watching([](shared_handle h) -> task<> {
       as_completed<void> done(std::vector<task_handle<void>>{*h});
       static_cast<void>(co_await done.next());
     })},
    {"async_generator::next", true, over([](shared_event e) -> task<> {
       auto g = [](shared_event x) -> async_generator<int> {
         co_await x->wait();
         co_yield 1;
       }(e);
       static_cast<void>(co_await g.next());
     })},
  });
}

BOOST_AUTO_TEST_SUITE_END()
