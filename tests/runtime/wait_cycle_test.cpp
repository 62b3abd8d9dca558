// SPDX-License-Identifier: BSD-3-Clause
// What the task tree says of tasks that wait for each other in a circle, in
// real runs.
#include "actor_messages.hpp"

#include <troupe/testing/virtual_clock.hpp>
#include <troupe/testing/wait_all_tasks_blocked.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <string>
#include <string_view>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

/// The circle that the task tree shows; empty if there is none.
std::string circle_in(const std::string& tree) {
  constexpr std::string_view head =
    "Each of these waits for the next, and the last for the first:\n";
  const auto at = tree.find(head);
  return at == tree.npos ? std::string() : tree.substr(at + head.size());
}

/// What tasks may wait for; of one run.
struct things {
  mutex m, m1, m2;
  semaphore s1{1}, s2{1}, two{2};
  capacity_limiter l1{1}, l2{1};
  shared_mutex w1, w2;
  channel_ends<int> there = make_channel<int>(1), back = make_channel<int>(1),
                    direct = make_channel<int>(0);
};

/// The circle of what `start` starts, when nothing of it can go on.
std::string circle_of(const std::function<task<>(nursery&, things&)>& start) {
  std::string circle;
  testing::run_virtually([&]() -> task<> {
    things t;
    co_await with_nursery([&](nursery& n) -> task<> {
      co_await start(n, t);
      co_await testing::wait_all_tasks_blocked();
      circle = circle_in(dump_task_tree());
      n.cancel();
    });
  });
  return circle;
}

template <class First, class Second>
task<> take_both(First first, Second second) {
  const auto one = co_await first();
  co_await checkpoint();
  const auto two = co_await second();
}

/// Two tasks, each of which takes what the other has.
template <class A, class B>
task<> take_crosswise(nursery& n, A a, B b) {
  n.start_soon(named("left", take_both<A, B>), a, b);
  n.start_soon(named("right", take_both<B, A>), b, a);
  co_return;
}

} // namespace

BOOST_AUTO_TEST_SUITE(wait_cycles)

BOOST_AUTO_TEST_CASE(p27_locks_that_are_held_crosswise_are_named) {
  BOOST_TEST(circle_of([&](nursery& n, things& t) {
               return take_crosswise(
                 n, [&] { return t.m1.lock(); }, [&] { return t.m2.lock(); });
             })
             == "  left, for a mutex\n  right, for a mutex\n");
  BOOST_TEST(circle_of([&](nursery& n, things& t) {
               return take_crosswise(
                 n, [&] { return t.s1.acquire(); }, [&] { return t.s2.acquire(); });
             })
             == "  left, for a semaphore\n  right, for a semaphore\n");
  BOOST_TEST(circle_of([&](nursery& n, things& t) {
               return take_crosswise(
                 n, [&] { return t.l1.acquire(); }, [&] { return t.m1.lock(); });
             })
             == "  left, for a mutex\n  right, for a capacity_limiter\n");
  BOOST_TEST(circle_of([&](nursery& n, things& t) {
               return take_crosswise(
                 n, [&] { return t.w1.lock(); }, [&] { return t.w2.lock(); });
             })
             == "  left, for a shared_mutex (to write)\n  right, for a "
                "shared_mutex (to write)\n");
  BOOST_TEST(circle_of([&](nursery& n, things& t) {
               return take_crosswise(
                 n, [&] { return t.w1.lock_shared(); }, [&] { return t.l2.acquire(); });
             })
             == ""); // readers do not wait for each other
}

BOOST_AUTO_TEST_CASE(p27_a_permit_that_was_handed_over_has_its_new_holder) {
  const auto hands_over = [](auto take) {
    return circle_of([take](nursery& n, things& t) -> task<> {
      n.start_soon([&t, take]() -> task<> {
        const auto first = co_await take(t);
        co_await sleep_for(1s);
      });
      n.start_soon(named("left", [&t, take]() -> task<> {
        const auto handed_over = co_await take(t);
        const auto wanted = co_await t.m.lock();
      }));
      n.start_soon(named("right", [&t, take]() -> task<> {
        const auto held = co_await t.m.lock();
        const auto wanted = co_await take(t);
      }));
      co_await sleep_for(2s);
    });
  };
  BOOST_TEST(hands_over([](things& t) { return t.s1.acquire(); })
             == "  left, for a mutex\n  right, for a semaphore\n");
  BOOST_TEST(hands_over([](things& t) { return t.l1.acquire(); })
             == "  left, for a mutex\n  right, for a capacity_limiter\n");
  BOOST_TEST(hands_over([](things& t) { return t.w1.lock(); })
             == "  left, for a mutex\n  right, for a shared_mutex (to write)\n");
}

BOOST_AUTO_TEST_CASE(p27_a_lock_that_its_own_holder_wants_is_a_circle_of_one) {
  BOOST_TEST(circle_of([&](nursery& n, things& t) -> task<> {
               n.start_soon(named("twice", [&t] {
                 return take_both([&t] { return t.m.lock(); }, [&t] { return t.m.lock(); });
               }));
               co_return;
             })
             == "  twice, for a mutex\n");
  BOOST_TEST(circle_of([&](nursery& n, things& t) -> task<> {
               n.start_soon(named("upgrade", [&t] {
                 return take_both([&t] { return t.w1.lock_shared(); },
                                  [&t] { return t.w1.lock(); });
               }));
               co_return;
             })
             == "  upgrade, for a shared_mutex (to write)\n");
}

BOOST_AUTO_TEST_CASE(p27_who_holds_one_of_several_is_not_guessed) {
  BOOST_TEST(circle_of([&](nursery& n, things& t) -> task<> {
               n.start_soon(named("other", [&]() -> task<> {
                 const auto one = co_await t.two.acquire();
                 co_await sleep_for(1s);
               }));
               co_await take_crosswise(
                 n, [&] { return t.two.acquire(); }, [&] { return t.m.lock(); });
               co_await checkpoint();
             })
             == "");
  BOOST_TEST(circle_of([&](nursery& n, things& t) -> task<> {
               n.start_soon([&]() -> task<> { // the one who stays, and can go on
                 const auto reads = co_await t.w1.lock_shared();
                 co_await sleep_forever();
               });
               n.start_soon(named("was here", [&]() -> task<> {
                 const auto held = co_await t.m.lock();
                 { const auto reads = co_await t.w1.lock_shared(); }
                 co_await checkpoint();
                 const auto writes = co_await t.w1.lock();
               }));
               n.start_soon([&]() -> task<> { const auto wanted = co_await t.m.lock(); });
               co_return;
             })
             == "");
}

BOOST_AUTO_TEST_CASE(p27_channels_name_the_only_one_at_the_other_end) {
  const auto talk = [](send_channel<int>& out, receive_channel<int>& in) -> task<> {
    co_await out.send(1);
    co_await in.receive();
    co_await in.receive(); // and nobody has said anything
  };
  const auto start = [&](nursery& n, things& t) -> task<> {
    n.start_soon(named("left", talk), std::ref(t.there.tx), std::ref(t.back.rx));
    n.start_soon(named("right", talk), std::ref(t.back.tx), std::ref(t.there.rx));
    co_return;
  };
  BOOST_TEST(circle_of(start)
             == "  left, for a value in a channel\n  right, for a value in a channel\n");
  BOOST_TEST(circle_of([&](nursery& n, things& t) -> task<> {
               co_await start(n, t);
               n.start_soon(
                 [](send_channel<int> /*might send*/) -> task<> { co_await sleep_forever(); },
                 t.there.tx.clone());
             })
             == "");
  BOOST_TEST(circle_of([&](nursery& n, things& t) -> task<> {
               n.start_soon(named("sender", [&]() -> task<> {
                 co_await t.direct.tx.send(1);
                 const auto held = co_await t.m.lock();
                 co_await t.direct.tx.send(2);
               }));
               n.start_soon(named("receiver", [&]() -> task<> {
                 co_await t.direct.rx.receive();
                 co_await checkpoint();
                 const auto wanted = co_await t.m.lock();
               }));
               co_return;
             })
             == "  sender, for room in a channel\n  receiver, for a mutex\n");
}

BOOST_AUTO_TEST_CASE(p27_requests_ends_and_children_are_in_the_circle) {
  BOOST_TEST(circle_of([&](nursery& n, things& t) -> task<> {
               const auto server = n.start_actor(named("server", [&](mailbox& in) -> task<> {
                 co_await in.serve([&](int x) -> task<int> {
                   const auto wanted = co_await t.m.lock();
                   co_return x;
                 });
               }));
               n.start_soon(named("client", [&, to = server.address()]() -> task<> {
                 const auto held = co_await t.m.lock();
                 co_await request<int>(to, duration::max(), 1);
               }));
               co_return;
             })
             == "  server, for a mutex\n  client, for an answer\n");
  BOOST_TEST(circle_of([&](nursery& n, things& t) -> task<> {
               auto worker = n.start_soon(named("worker", [&]() -> task<> {
                 co_await checkpoint();
                 const auto wanted = co_await t.m.lock();
               }));
               n.start_soon(named("waiter", [&t, worker]() mutable -> task<> {
                 const auto held = co_await t.m.lock();
                 co_await worker;
               }));
               co_return;
             })
             == "  worker, for a mutex\n  waiter, for the end of a task\n");
  BOOST_TEST(circle_of([&](nursery& n, things& t) -> task<> {
               n.start_soon(named("parent", [&]() -> task<> {
                 const auto held = co_await t.m.lock();
                 co_await with_nursery([&](nursery& inner) -> task<> {
                   inner.start_soon(
                     named("child", [&]() -> task<> { const auto wanted = co_await t.m.lock(); }));
                   co_return;
                 });
               }));
               co_return;
             })
             == "  parent, for children\n  child, for a mutex\n");
}

BOOST_AUTO_TEST_CASE(p27_a_circle_may_go_over_several_loops) {
  run(run_options{.loops = 2}, []() -> task<> {
    mutex m1, m2;
    barrier both_have_one(2);
    const auto take = [&](mutex& first, mutex& second) -> task<> {
      const auto one = co_await first.lock();
      co_await both_have_one.arrive_and_wait();
      const auto two = co_await second.lock();
    };
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_on(0, named("left", take), std::ref(m1), std::ref(m2));
      n.start_on(1, named("right", take), std::ref(m2), std::ref(m1));
      std::string circle;
      while (circle.empty()) { // they are on their way into it
        co_await checkpoint();
        circle = circle_in(dump_task_tree());
      }
      BOOST_TEST(circle == "  left, for a mutex\n  right, for a mutex\n");
      n.cancel();
    });
  });
}

BOOST_AUTO_TEST_CASE(p27_there_is_no_circle_where_somebody_can_go_on) {
  BOOST_TEST(circle_of([&](nursery& n, things& t) -> task<> {
               n.start_soon([&]() -> task<> {
                 const auto held = co_await t.m1.lock();
                 co_await sleep_forever();
               });
               n.start_soon([&]() -> task<> {
                 const auto held = co_await t.m2.lock();
                 const auto wanted = co_await t.m1.lock();
               });
               n.start_soon([&]() -> task<> { const auto wanted = co_await t.m2.lock(); });
               co_return;
             })
             == "");
}

BOOST_AUTO_TEST_SUITE_END()
