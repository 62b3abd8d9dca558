// SPDX-License-Identifier: BSD-3-Clause
// What all locks have in common, and what becomes of them when their holders end.

#include <troupe/testing/virtual_clock.hpp>
#include <troupe/testing/wait_all_tasks_blocked.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;
using troupe::testing::wait_all_tasks_blocked;

namespace {

/// One at a time, by whatever means.
struct by_mutex {
  mutex m;
  auto take() { return m.lock(); }
};
struct by_semaphore {
  semaphore s{1, 1};
  auto take() { return s.acquire(); }
};
struct by_limiter {
  capacity_limiter l{1};
  auto take() { return l.acquire(); }
};
struct by_writing {
  shared_mutex m;
  auto take() { return m.lock(); }
};
struct by_channel {
  channel_ends<int> tokens = make_channel<int>(1);
  by_channel() { static_cast<void>(tokens.tx.try_send(1)); }
  struct give_back {
    send_channel<int>* to = nullptr;
    explicit give_back(send_channel<int>& t) : to(&t) {}
    give_back(give_back&& o) noexcept : to(std::exchange(o.to, nullptr)) {}
    ~give_back() {
      if (to)
        static_cast<void>(to->try_send(1));
    }
  };
  task<give_back> take() {
    co_await tokens.rx.receive();
    co_return give_back(tokens.tx);
  }
};

template <class Lock>
void excludes() {
  run_virtually([]() -> task<> {
    Lock lock;
    int inside = 0, times = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int w = 0; w < 5; ++w)
        n.start_soon([&]() -> task<> {
          for (int i = 0; i < 10; ++i) {
            auto held = co_await lock.take();
            ++times;
            BOOST_TEST(++inside == 1);
            co_await checkpoint();
            co_await checkpoint();
            --inside;
          }
        });
      co_return;
    });
    BOOST_TEST(times == 50);
  });
}

template <class Lock>
void is_fair() {
  run_virtually([]() -> task<> {
    Lock lock;
    std::string log;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (const char c : {'a', 'b', 'c'})
        n.start_soon([&, c]() -> task<> {
          for (int i = 0; i < 5; ++i) {
            auto held = co_await lock.take();
            log += c;
            co_await checkpoint();
          }
        });
      co_return;
    });
    BOOST_TEST(log == "abcabcabcabcabc");
  });
}

template <class Lock>
void comes_back() {
  run_virtually([]() -> task<> {
    Lock lock;
    // from a holder that is cancelled, and past one that is cancelled while it waits
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 2; ++i)
        n.start_soon([&]() -> task<> {
          auto held = co_await lock.take();
          co_await sleep_forever();
        });
      co_await wait_all_tasks_blocked();
      n.cancel();
    });
    // from a holder that fails
    try {
      auto held = co_await lock.take();
      throw std::domain_error("x");
    } catch (const std::domain_error&) {
    }
    BOOST_TEST(co_await move_on_after(1s, [&]() -> task<> { auto held = co_await lock.take(); }));
  });
}

} // namespace

BOOST_AUTO_TEST_SUITE(sync_fairness)

BOOST_AUTO_TEST_CASE(only_one_is_inside) {
  excludes<by_mutex>();
  excludes<by_semaphore>();
  excludes<by_limiter>();
  excludes<by_writing>();
  excludes<by_channel>();
}

BOOST_AUTO_TEST_CASE(p10_those_who_wait_come_in_turn) {
  is_fair<by_mutex>();
  is_fair<by_semaphore>();
  is_fair<by_limiter>();
  is_fair<by_writing>();
  is_fair<by_channel>();
}

BOOST_AUTO_TEST_CASE(what_was_held_comes_back_however_its_holder_ends) {
  comes_back<by_mutex>();
  comes_back<by_semaphore>();
  comes_back<by_limiter>();
  comes_back<by_writing>();
  comes_back<by_channel>();
}

BOOST_AUTO_TEST_CASE(trying_does_not_overtake_one_who_waits) {
  run_virtually([]() -> task<> {
    mutex m;
    semaphore s(1);
    capacity_limiter l(1);
    auto lock = m.try_lock();
    auto permit = s.try_acquire();
    auto token = l.try_acquire();
    BOOST_TEST((lock && permit && token));
    BOOST_TEST(!m.try_lock());
    BOOST_TEST(!s.try_acquire());
    BOOST_TEST(!l.try_acquire());
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { auto x = co_await m.lock(); });
      n.start_soon([&]() -> task<> { auto x = co_await s.acquire(); });
      n.start_soon([&]() -> task<> { auto x = co_await l.acquire(); });
      co_await wait_all_tasks_blocked();
      lock.release();
      permit.release();
      token.release();
      BOOST_TEST(m.locked()); // handed over
      BOOST_TEST(!m.try_lock());
      BOOST_TEST(!s.try_acquire());
      BOOST_TEST(!l.try_acquire());
      BOOST_TEST(l.borrowed() == 1U);
    });
    BOOST_TEST(!m.locked());
    BOOST_TEST(s.value() == 1U);
    BOOST_TEST(l.borrowed() == 0U);
  });
}

BOOST_AUTO_TEST_CASE(waking_a_task_does_not_run_it_at_once) {
  run_virtually([]() -> task<> {
    event e;
    bool ran = false;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        co_await e.wait();
        ran = true;
        co_await e.wait(); // set is set
      });
      co_await wait_all_tasks_blocked();
      e.set();
      BOOST_TEST(!ran);
      co_await checkpoint();
      BOOST_TEST(ran);
    });
  });
}

BOOST_AUTO_TEST_CASE(a_wait_that_is_not_awaited_takes_nothing) {
  run_virtually([]() -> task<> {
    semaphore s(1);
    mutex m;
    {
      auto a = s.acquire();
      auto b = m.lock();
    }
    BOOST_TEST(s.value() == 1U);
    BOOST_TEST(!m.locked());
    co_return;
  });
}

BOOST_AUTO_TEST_CASE(a_capacity_limiter_that_shrinks_waits_for_tokens_to_come_back) {
  run_virtually([]() -> task<> {
    capacity_limiter l(2);
    std::vector<capacity_limiter::token> held(5);
    co_await with_nursery([&](nursery& n) -> task<> {
      for (std::size_t i = 0; i < 5; ++i)
        n.start_soon([&, i]() -> task<> { held[i] = co_await l.acquire(); });
      co_await wait_all_tasks_blocked();
      BOOST_TEST(l.borrowed() == 2U);
      l.total(4);
      co_await wait_all_tasks_blocked();
      BOOST_TEST((held[2] && held[3] && !held[4]));
      l.total(1);
      BOOST_TEST(l.borrowed() == 4U);
      BOOST_TEST(l.available() == 0U);
      for (std::size_t i = 0; i < 3; ++i)
        held[i].release();
      co_await wait_all_tasks_blocked();
      BOOST_TEST(l.borrowed() == 1U);
      BOOST_TEST(!held[4]);
      held[3].release();
      co_await wait_all_tasks_blocked();
      BOOST_TEST(static_cast<bool>(held[4]));
    });
    BOOST_CHECK_THROW(l.total(0), std::invalid_argument);
    BOOST_CHECK_THROW(capacity_limiter(0), std::invalid_argument);
    BOOST_CHECK_THROW(semaphore(2, 1), std::invalid_argument);
  });
}

BOOST_AUTO_TEST_CASE(a_condition_wakes_as_many_as_asked_for_in_order) {
  run_virtually([]() -> task<> {
    mutex m;
    condition c;
    std::string log;
    mutex::guard empty;
    BOOST_CHECK_THROW(co_await c.wait(empty), usage_error);
    co_await with_nursery([&](nursery& n) -> task<> {
      for (const char who : {'a', 'b', 'c', 'd'}) {
        n.start_soon([&, who]() -> task<> {
          auto lock = co_await m.lock();
          co_await c.wait(lock);
          BOOST_TEST(static_cast<bool>(lock));
          log += who;
        });
      }
      co_await wait_all_tasks_blocked();
      BOOST_TEST(!m.locked());
      c.notify();
      co_await wait_all_tasks_blocked();
      BOOST_TEST(log == "a");
      {
        auto lock = co_await m.lock();
        c.notify(2);
        co_await wait_all_tasks_blocked();
        BOOST_TEST(log == "a"); // they wait for the lock
      }
      co_await wait_all_tasks_blocked();
      BOOST_TEST(log == "abc");
      c.notify_all();
      c.notify_all(); // nobody is there: no effect, nothing is stored
    });
    BOOST_TEST(log == "abcd");
  });
}

BOOST_AUTO_TEST_CASE(p10_a_notification_on_its_way_to_a_cancelled_task_is_taken_with_the_lock) {
  run_virtually([]() -> task<> {
    mutex m;
    condition c;
    std::string log;
    co_await with_nursery([&](nursery& n) -> task<> {
      auto h = n.start_soon([&]() -> task<> {
        auto lock = co_await m.lock();
        co_await c.wait(lock);
        log += lock ? 'l' : '!';
        co_await checkpoint();
        log += '!';
      });
      co_await wait_all_tasks_blocked();
      auto lock = co_await m.lock();
      c.notify();
      h.cancel();
      co_await wait_all_tasks_blocked();
      BOOST_TEST(!h.done()); // taking the lock again is shielded
      lock.release();
      co_await wait_all_tasks_blocked();
      BOOST_TEST(h.cancelled());
      BOOST_TEST(!m.locked());
    });
    BOOST_TEST(log == "l");
  });
}

BOOST_AUTO_TEST_SUITE_END()
