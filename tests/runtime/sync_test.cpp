// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/barrier.hpp>
#include <troupe/capacity_limiter.hpp>
#include <troupe/condition.hpp>
#include <troupe/event.hpp>
#include <troupe/mutex.hpp>
#include <troupe/semaphore.hpp>
#include <troupe/shared_mutex.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/testing/wait_all_tasks_blocked.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;
using troupe::testing::wait_all_tasks_blocked;

namespace {

/// Lets all others run until they wait.
} // namespace

BOOST_AUTO_TEST_SUITE(sync_suite)

BOOST_AUTO_TEST_CASE(event_wakes_all_that_wait_in_order) {
  run_virtually([]() -> task<> {
    event e;
    std::string order;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (char c : {'a', 'b', 'c'})
        n.start_soon(
          [&](char mine) -> task<> {
            co_await e.wait();
            order += mine;
          },
          c);
      co_await wait_all_tasks_blocked();
      BOOST_TEST(order.empty());
      e.set();
      e.set();
    });
    BOOST_TEST(order == "abc");
    co_await e.wait();
  });
}

BOOST_AUTO_TEST_CASE(p04_a_cancelled_wait_leaves_the_queue) {
  run_virtually([]() -> task<> {
    event e;
    BOOST_TEST(!co_await move_on_after(1s, [&]() -> task<> { co_await e.wait(); }));
    e.set();
    // cancelled before: even a wait that would not wait does not come back
    bool passed = false;
    co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      s.cancel();
      co_await e.wait();
      passed = true;
    });
    BOOST_TEST(!passed);
  });
}

BOOST_AUTO_TEST_CASE(p10_a_permit_on_its_way_to_a_cancelled_task_is_not_lost) {
  run_virtually([]() -> task<> {
    semaphore s(1);
    auto held = co_await s.acquire();
    bool got = false;
    co_await with_nursery([&](nursery& n) -> task<> {
      auto h = n.start_soon([&]() -> task<> {
        auto mine = co_await s.acquire();
        got = true;
        co_await checkpoint();
        BOOST_ERROR("the checkpoint after the permit is cancelled");
      });
      co_await wait_all_tasks_blocked();
      held.release(); // hands the permit over
      h.cancel();     // too late for the wait
      co_await wait_all_tasks_blocked();
    });
    BOOST_TEST(got);
    BOOST_TEST(s.value() == 1U);
  });
}

BOOST_AUTO_TEST_CASE(p10_a_cancelled_waiter_does_not_swallow_a_permit) {
  run_virtually([]() -> task<> {
    semaphore s(1);
    auto held = co_await s.acquire();
    int got = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      auto first = n.start_soon([&]() -> task<> {
        auto mine = co_await s.acquire();
        ++got;
      });
      n.start_soon([&]() -> task<> {
        auto mine = co_await s.acquire();
        got += 10;
      });
      co_await wait_all_tasks_blocked();
      first.cancel();
      held.release();
      co_await wait_all_tasks_blocked();
    });
    BOOST_TEST(got == 10);
    BOOST_TEST(s.value() == 1U);
  });
}

BOOST_AUTO_TEST_CASE(semaphore_refuses_more_than_its_maximum) {
  run_virtually([]() -> task<> {
    BOOST_CHECK_THROW(semaphore(2, 1), std::invalid_argument);
    semaphore s(1, 1);
    BOOST_CHECK_THROW(s.release(), std::logic_error);
    auto one = s.try_acquire();
    BOOST_TEST(bool(one));
    BOOST_TEST(!s.try_acquire());
    BOOST_CHECK_THROW(s.release(), std::logic_error); // the permit that is held is to come back
    one.release();
    BOOST_TEST(s.value() == 1U);
    co_return;
  });
}

BOOST_AUTO_TEST_CASE(mutex_is_handed_over_in_order_and_excludes) {
  run_virtually([]() -> task<> {
    mutex m;
    int inside = 0;
    std::string order;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (char c : {'a', 'b', 'c', 'd'})
        n.start_soon(
          [&](char mine) -> task<> {
            auto guard = co_await m.lock();
            BOOST_TEST(++inside == 1);
            co_await sleep_for(1s);
            order += mine;
            --inside;
          },
          c);
      co_await wait_all_tasks_blocked();
      BOOST_TEST(!m.try_lock());
    });
    BOOST_TEST(order == "abcd");
    BOOST_TEST(!m.locked());
  });
}

BOOST_AUTO_TEST_CASE(condition_waits_for_a_notification_and_holds_the_lock_again) {
  run_virtually([]() -> task<> {
    mutex m;
    condition c;
    bool ready = false;
    int seen = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 3; ++i)
        n.start_soon([&]() -> task<> {
          auto lock = co_await m.lock();
          while (!ready)
            co_await c.wait(lock);
          BOOST_TEST(m.locked());
          BOOST_TEST(bool(lock));
          ++seen;
        });
      co_await wait_all_tasks_blocked();
      {
        auto lock = co_await m.lock();
        ready = true;
        c.notify_all();
      }
    });
    BOOST_TEST(seen == 3);
  });
}

BOOST_AUTO_TEST_CASE(p04_a_cancelled_condition_wait_leaves_the_mutex_usable) {
  run_virtually([]() -> task<> {
    mutex m;
    condition c;
    co_await move_on_after(1s, [&]() -> task<> {
      auto lock = co_await m.lock();
      co_await c.wait(lock);
    });
    BOOST_TEST(!m.locked());
    auto lock = co_await m.lock();
    c.notify();
  });
}

BOOST_AUTO_TEST_CASE(capacity_limiter_bounds_and_can_grow) {
  run_virtually([]() -> task<> {
    capacity_limiter l(2);
    int now = 0, most = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 8; ++i)
        n.start_soon([&]() -> task<> {
          auto token = co_await l.acquire();
          most = std::max(most, ++now);
          co_await sleep_for(1s);
          --now;
        });
      co_await wait_all_tasks_blocked();
      BOOST_TEST(now == 2);
      l.total(3);
      co_await wait_all_tasks_blocked();
      BOOST_TEST(now == 3);
      BOOST_TEST(l.available() == 0U);
    });
    BOOST_TEST(most == 3);
    BOOST_TEST(l.borrowed() == 0U);
  });
}

BOOST_AUTO_TEST_CASE(barrier_lets_all_go_when_the_last_has_come) {
  run_virtually([]() -> task<> {
    barrier b(3);
    int last = 0, through = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 6; ++i)
        n.start_soon([&]() -> task<> {
          last += co_await b.arrive_and_wait();
          ++through;
        });
      co_return;
    });
    BOOST_TEST(last == 2);
    BOOST_TEST(through == 6);
  });
}

BOOST_AUTO_TEST_CASE(p04_a_cancelled_party_has_not_arrived) {
  run_virtually([]() -> task<> {
    barrier b(2);
    co_await move_on_after(1s, [&]() -> task<> { co_await b.arrive_and_wait(); });
    BOOST_TEST(b.waiting() == 0U);
    BOOST_TEST(!co_await move_on_after(1s, [&]() -> task<> { co_await b.arrive_and_wait(); }));
  });
}

BOOST_AUTO_TEST_CASE(shared_mutex_lets_readers_together_and_writers_alone) {
  run_virtually([]() -> task<> {
    shared_mutex m;
    std::string order;
    int readers = 0;
    auto read = [&](char c) -> task<> {
      auto g = co_await m.lock_shared();
      ++readers;
      order += c;
      co_await sleep_for(1s);
      --readers;
    };
    auto write = [&](char c) -> task<> {
      auto g = co_await m.lock();
      BOOST_TEST(readers == 0);
      order += c;
      co_await sleep_for(1s);
    };
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon(read, 'a');
      n.start_soon(read, 'b');
      n.start_soon(write, 'W');
      n.start_soon(read, 'c'); // behind the writer: it is not starved
      co_await wait_all_tasks_blocked();
      BOOST_TEST(readers == 2);
    });
    BOOST_TEST(order == "abWc");
  });
}

BOOST_AUTO_TEST_CASE(p04_a_writer_that_gives_up_lets_readers_through) {
  run_virtually([]() -> task<> {
    shared_mutex m;
    bool read = false;
    co_await with_nursery([&](nursery& n) -> task<> {
      auto first = co_await m.lock_shared();
      auto writer = n.start_soon([&]() -> task<> { auto g = co_await m.lock(); });
      co_await wait_all_tasks_blocked();
      n.start_soon([&]() -> task<> {
        auto g = co_await m.lock_shared();
        read = true;
      });
      co_await wait_all_tasks_blocked();
      BOOST_TEST(!read);
      writer.cancel();
      co_await wait_all_tasks_blocked();
      BOOST_TEST(read);
    });
  });
}

BOOST_AUTO_TEST_SUITE_END()
