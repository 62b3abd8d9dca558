// SPDX-License-Identifier: BSD-3-Clause
// P4 and P5 for what actors await; see awaitables_test.cpp.
#include "runtime/actor_messages.hpp"
#include "support/awaitable_trials.hpp"

#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <memory>

using namespace troupe;
using namespace messages;
using namespace std::chrono_literals;
using troupe_test::run_trials;
using troupe_test::trial;

namespace {

/// Who waits, so that the trial can send to it.
struct addressed {
  caf::actor to;
};

template <class Receive>
std::function<trial()> receiving(Receive receive) {
  return [receive] {
    auto s = std::make_shared<addressed>();
    trial t;
    t.now = [receive]() -> task<> {
      mailbox in = this_mailbox();
      send(in.address(), add{1});
      co_await receive(in);
    };
    t.waiting = [s, receive]() -> task<> {
      mailbox in = this_mailbox();
      s->to = in.address();
      co_await receive(in);
    };
    t.complete = [s] { send(s->to, add{1}); };
    return t;
  };
}

} // namespace

BOOST_AUTO_TEST_SUITE(actor_awaitables)

BOOST_AUTO_TEST_CASE(p04_p05_mailbox) {
  run_trials({
    {"mailbox::receive with handlers", true,
     receiving([](mailbox& in) -> task<> { co_await in.receive([](add) {}); })},
    {"mailbox::receive with a timeout", true, receiving([](mailbox& in) -> task<> {
       static_cast<void>(co_await in.receive(1h, [](add) {}));
     })},
    {"mailbox::receive", true,
     receiving([](mailbox& in) -> task<> { static_cast<void>(co_await in.receive<add>()); })},
    {"mailbox::overflow", true,
     [] {
       auto s = std::make_shared<addressed>();
       trial t;
       t.waiting = [s]() -> task<> {
         mailbox in = this_mailbox();
         in.bound(0, when_full::drop_newest);
         s->to = in.address();
         co_await in.overflow();
       };
       t.complete = [s] { send(s->to, add{1}); };
       return t;
     }},
    {"mailbox::serve", true,
     [] {
       auto t =
         receiving([](mailbox& in) -> task<> { co_await in.serve([&in](add) { in.close(); }); })();
       t.complete = {}; // a message on its way is not the end of serving
       return t;
     }},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_sending_and_asking) {
  // an actor with room for one message, which listens when the event is set
  struct state {
    event listen;
    caf::actor to;
  };
  const auto asking = [](auto ask) {
    return [ask] {
      auto s = std::make_shared<state>();
      trial t;
      t.begin = [s](nursery& n) {
        const auto listener = [](mailbox& in, std::shared_ptr<state> x) -> task<> {
          in.bound(1, when_full::wait);
          co_await x->listen.wait();
          co_await in.serve([](get) { return 1; }, [](add) {});
        };
        s->to = n.start_actor(listener, s).address();
      };
      t.make_ready = [s] { s->listen.set(); };
      t.waiting = [s, ask]() -> task<> { return ask(s->to); };
      return t;
    };
  };
  run_trials({
    {"request", true, asking([](caf::actor to) -> task<> {
       static_cast<void>(co_await request<int>(to, 1h, get{}));
     })},
    {"send_when_room", true, asking([](caf::actor to) -> task<> {
       co_await send_when_room(to, add{1});
       co_await send_when_room(to, add{2});
     })},
  });
}

BOOST_AUTO_TEST_SUITE_END()
