// SPDX-License-Identifier: BSD-3-Clause
// What tasks share, used from several loops.
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

constexpr unsigned loops = 3;

/// Runs `fn(i)` on each loop, in one nursery.
template <class F>
task<> on_each_loop(F fn) {
  co_await with_nursery([&](nursery& n) -> task<> {
    for (unsigned i = 0; i < loops; ++i)
      n.start_on(i, fn, i);
    co_return;
  });
}

template <class F>
void run_on_loops(F fn) {
  run(run_options{.loops = loops}, fn);
}

} // namespace

BOOST_AUTO_TEST_SUITE(cross_loop)

BOOST_AUTO_TEST_CASE(event_wakes_tasks_of_all_loops) {
  for (int round = 0; round < 50; ++round)
    run_on_loops([]() -> task<> {
      event go;
      std::atomic<int> woken = 0;
      co_await with_nursery([&](nursery& n) -> task<> {
        for (unsigned i = 0; i < 2 * loops; ++i)
          n.start_on(i, [&]() -> task<> {
            co_await go.wait();
            ++woken;
          });
        n.start_on(1, [&]() -> task<> {
          go.set();
          co_return;
        });
        co_return;
      });
      BOOST_TEST(woken == 2 * loops);
      BOOST_TEST(go.is_set());
    });
}

BOOST_AUTO_TEST_CASE(mutex_lets_one_in_at_a_time) {
  run_on_loops([]() -> task<> {
    mutex m;
    int inside = 0; // guarded by m alone
    long counted = 0;
    co_await on_each_loop([&](unsigned) -> task<> {
      for (int i = 0; i < 500; ++i) {
        auto guard = co_await m.lock();
        BOOST_REQUIRE(++inside == 1);
        ++counted;
        if (i % 16 == 0)
          co_await checkpoint();
        --inside;
      }
    });
    BOOST_TEST(counted == 500 * loops);
    BOOST_TEST(!m.locked());
  });
}

BOOST_AUTO_TEST_CASE(shared_mutex_keeps_readers_from_a_writer) {
  run_on_loops([]() -> task<> {
    shared_mutex m;
    std::atomic<int> readers = 0;
    std::atomic<int> writers = 0;
    std::atomic<bool> mixed = false;
    co_await on_each_loop([&](unsigned loop) -> task<> {
      for (int i = 0; i < 300; ++i) {
        if ((static_cast<unsigned>(i) + loop) % 4 == 0) {
          auto guard = co_await m.lock();
          if (++writers != 1 || readers != 0)
            mixed = true;
          co_await checkpoint();
          --writers;
        } else {
          auto guard = co_await m.lock_shared();
          ++readers;
          if (writers != 0)
            mixed = true;
          co_await checkpoint();
          --readers;
        }
      }
    });
    BOOST_TEST(!mixed);
  });
}

BOOST_AUTO_TEST_CASE(semaphore_and_limiter_keep_their_limits) {
  run_on_loops([]() -> task<> {
    semaphore s(2);
    capacity_limiter l(2);
    std::array<std::atomic<int>, 2> inside{};
    std::atomic<bool> too_many = false;
    co_await on_each_loop([&](unsigned) -> task<> {
      for (int i = 0; i < 300; ++i) {
        auto permit = co_await s.acquire();
        if (++inside[0] > 2)
          too_many = true;
        co_await checkpoint();
        --inside[0];
        permit.release();
        auto token = co_await l.acquire();
        if (++inside[1] > 2)
          too_many = true;
        co_await checkpoint();
        --inside[1];
      }
    });
    BOOST_TEST(!too_many);
    BOOST_TEST(s.value() == 2U);
    BOOST_TEST(l.available() == 2U);
  });
}

BOOST_AUTO_TEST_CASE(barrier_lets_all_loops_go_together) {
  run_on_loops([]() -> task<> {
    barrier b(loops);
    std::array<std::atomic<int>, loops> round{};
    std::atomic<int> last = 0;
    std::atomic<bool> apart = false;
    co_await on_each_loop([&](unsigned me) -> task<> {
      for (int i = 0; i < 200; ++i) {
        round[me] = i;
        if (co_await b.arrive_and_wait())
          ++last;
        for (const auto& other : round)
          if (other < i)
            apart = true;
      }
    });
    BOOST_TEST(!apart);
    BOOST_TEST(last == 200);
  });
}

BOOST_AUTO_TEST_CASE(condition_hands_work_from_loop_to_loop) {
  run_on_loops([]() -> task<> {
    mutex m;
    condition changed;
    int available = 0; // guarded by m
    int taken = 0;     // guarded by m
    co_await with_nursery([&](nursery& n) -> task<> {
      for (unsigned i = 0; i < loops; ++i)
        n.start_on(i, [&]() -> task<> {
          for (int k = 0; k < 100; ++k) {
            auto guard = co_await m.lock();
            while (available == 0)
              co_await changed.wait(guard);
            --available;
            ++taken;
          }
        });
      n.start_on(2, [&]() -> task<> {
        for (unsigned k = 0; k < 100 * loops; ++k) {
          auto guard = co_await m.lock();
          ++available;
          changed.notify();
        }
      });
      co_return;
    });
    BOOST_TEST(taken == 300);
    BOOST_TEST(available == 0);
  });
}

BOOST_AUTO_TEST_CASE(p03_wait_that_is_cancelled_on_another_loop_has_no_effect) {
  run_on_loops([]() -> task<> {
    semaphore s(0);
    for (int i = 0; i < 200; ++i) {
      co_await with_nursery([&](nursery& n) -> task<> {
        const auto waits = n.start_on(1, [&]() -> task<> { auto permit = co_await s.acquire(); });
        if (i % 2)
          co_await checkpoint();
        waits.cancel();
        co_return;
      });
    }
    s.release();
    BOOST_TEST(s.value() == 1U); // nobody stands in the queue any more
  });
}

BOOST_AUTO_TEST_CASE(p11_channel_between_loops_loses_and_doubles_nothing) {
  for (const std::size_t capacity : {0U, 1U, 16U})
    run_on_loops([capacity]() -> task<> {
      auto [tx, rx] = make_channel<int>(capacity);
      constexpr int each = 1000;
      std::array<std::vector<int>, loops> got;
      co_await with_nursery([&](nursery& n) -> task<> {
        for (unsigned i = 0; i < loops; ++i) {
          n.start_on(
            i,
            [](send_channel<int> to, int from) -> task<> {
              for (int k = 0; k < each; ++k)
                co_await to.send(from * each + k);
            },
            tx.clone(), static_cast<int>(i));
          n.start_on(
            i + 1,
            [&mine = got[i]](receive_channel<int> from) -> task<> {
              while (const auto x = co_await from.next())
                mine.push_back(*x);
            },
            rx.clone());
        }
        tx.close();
        rx.close();
        co_return;
      });
      std::vector<int> all;
      for (const auto& some : got)
        all.insert(all.end(), some.begin(), some.end());
      std::sort(all.begin(), all.end());
      std::vector<int> expected(each * loops);
      std::iota(expected.begin(), expected.end(), 0);
      BOOST_TEST(all == expected, boost::test_tools::per_element());
    });
}

BOOST_AUTO_TEST_CASE(p11_books_balance_when_loops_send_receive_and_cancel_at_random) {
  run_on_loops([]() -> task<> {
    for (unsigned seed = 0; seed < 40; ++seed) {
      auto [tx, rx] = make_channel<int>(seed % 4);
      std::atomic<std::uint64_t> sent = 0;
      std::atomic<std::uint64_t> received = 0;
      co_await with_nursery([&](nursery& n) -> task<> {
        for (unsigned i = 0; i < 2 * loops; ++i) {
          n.start_on(
            i,
            [&sent](send_channel<int> to, unsigned my_seed) -> task<> {
              std::mt19937 random(my_seed);
              for (int k = 0; k < 50; ++k)
                co_await move_on_after(std::chrono::microseconds(random() % 200), [&]() -> task<> {
                  try {
                    co_await to.send(k);
                    ++sent;
                  } catch (const broken_resource_error&) {
                  }
                });
            },
            tx.clone(), seed * 100 + i);
          n.start_on(
            i,
            [&received](receive_channel<int> from, unsigned my_seed) -> task<> {
              std::mt19937 random(my_seed);
              bool open = true;
              for (int k = 0; open && k < 60; ++k)
                co_await move_on_after(std::chrono::microseconds(random() % 200), [&]() -> task<> {
                  if (co_await from.next())
                    ++received;
                  else
                    open = false;
                });
            },
            rx.clone(), seed * 100 + 50 + i);
        }
        co_return;
      });
      const auto books = tx.statistics();
      BOOST_TEST(books.sent == sent);
      BOOST_TEST(books.received == received);
      BOOST_TEST(books.sent == books.received + books.undelivered + books.buffered);
      BOOST_TEST(books.waiting_to_send + books.waiting_to_receive == 0U);
      BOOST_TEST(books.senders == 1U);
      BOOST_TEST(books.receivers == 1U);
    }
  });
}

BOOST_AUTO_TEST_CASE(closing_from_another_loop_ends_those_who_wait) {
  run_on_loops([]() -> task<> {
    auto [tx, rx] = make_channel<int>(0);
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon(
        [](receive_channel<int> from) -> task<> {
          BOOST_TEST(!(co_await from.next())); // the end, not a value
        },
        std::move(rx));
      n.start_on(
        1,
        [](send_channel<int> to) -> task<> {
          to.close();
          co_return;
        },
        std::move(tx));
      co_return;
    });
    auto [out, in] = make_channel<int>(0);
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_on(
        1,
        [](send_channel<int> to) -> task<> {
          BOOST_CHECK_THROW(co_await to.send(1), broken_resource_error);
        },
        std::move(out));
      n.start_on(
        2, [](receive_channel<int>) -> task<> { co_return; }, std::move(in));
      co_return;
    });
  });
}

BOOST_AUTO_TEST_CASE(what_answers_at_once_refuses_other_loops) {
  run_on_loops([]() -> task<> {
    mutex m;
    auto [tx, rx] = make_channel<int>(1);
    BOOST_TEST(tx.try_send(1));
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_on(1, [&]() -> task<> {
        BOOST_CHECK_THROW(static_cast<void>(m.try_lock()), usage_error);
        BOOST_CHECK_THROW(static_cast<void>(rx.try_receive()), usage_error);
        co_return;
      });
      co_return;
    });
  });
}

BOOST_AUTO_TEST_CASE(stop_reaches_tasks_on_other_loops) {
  run_on_loops([]() -> task<> {
    std::atomic<int> stopped = 0;
    std::atomic<int> asked = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      event running;
      std::atomic<int> started = 0;
      for (unsigned i = 0; i < loops; ++i)
        n.start_on(i, [&]() -> task<> {
          if (++started == static_cast<int>(loops))
            running.set();
          co_await with_nursery([&](nursery& below) -> task<> {
            below.start_soon([&]() -> task<> {
              co_await stopping();
              ++stopped;
            });
            co_await stopping();
            ++stopped;
          });
          asked += is_stopping();
        });
      co_await running.wait();
      n.stop(1h);
      n.start_on(1, [&]() -> task<> { // too late, and knows it
        co_await stopping();
        ++stopped;
      });
    });
    BOOST_TEST(stopped == 2 * loops + 1);
    BOOST_TEST(asked == loops);
  });
}

BOOST_AUTO_TEST_SUITE_END()
