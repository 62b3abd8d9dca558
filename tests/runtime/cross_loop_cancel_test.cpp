// SPDX-License-Identifier: BSD-3-Clause
// Waits for what belongs to another loop, given up while they stand in its queue.
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

constexpr int rounds = 200;

/// Starts `waits` on another loop while the caller holds what it waits for, cancels it
/// at some moment, and then lets go: a second waiter there must come through.
template <class Hold, class Wait>
void check_cancelled_wait_takes_nothing(Hold hold, Wait wait) {
  std::atomic<int> served = 0;
  run(run_options{.loops = 2}, [&]() -> task<> {
    for (int round = 0; round < rounds; ++round)
      co_await with_nursery([&](nursery& n) -> task<> {
        auto held = co_await hold();
        std::atomic<bool> going = false;
        const auto first = n.start_on(1, [&]() -> task<> {
          going = true;
          co_await wait();
        });
        const auto second = n.start_on(1, [&]() -> task<> {
          co_await wait();
          ++served;
        });
        while (!going)
          co_await checkpoint();
        for (int i = 0; i < round % 20; ++i)
          co_await checkpoint();
        first.cancel();
        if (round % 3 == 0)
          co_await checkpoint();
        { const auto gone = std::move(held); }
        co_await second;
      });
  });
  BOOST_TEST(served == rounds);
}

} // namespace

BOOST_AUTO_TEST_SUITE(cross_loop_cancel)

BOOST_AUTO_TEST_CASE(p10_mutex_goes_on_to_the_next) {
  mutex m;
  check_cancelled_wait_takes_nothing([&]() -> task<mutex::guard> { co_return co_await m.lock(); },
                                     [&]() -> task<> { const auto held = co_await m.lock(); });
}

BOOST_AUTO_TEST_CASE(p10_permit_goes_on_to_the_next) {
  semaphore s(1);
  check_cancelled_wait_takes_nothing(
    [&]() -> task<semaphore::permit> { co_return co_await s.acquire(); },
    [&]() -> task<> { const auto held = co_await s.acquire(); });
}

BOOST_AUTO_TEST_CASE(p10_token_goes_on_to_the_next) {
  capacity_limiter l(1);
  check_cancelled_wait_takes_nothing(
    [&]() -> task<capacity_limiter::token> { co_return co_await l.acquire(); },
    [&]() -> task<> { const auto held = co_await l.acquire(); });
}

BOOST_AUTO_TEST_CASE(p10_writer_goes_on_to_the_next) {
  shared_mutex m;
  check_cancelled_wait_takes_nothing(
    [&]() -> task<shared_mutex::guard> { co_return co_await m.lock(); },
    [&]() -> task<> { const auto held = co_await m.lock(); });
}

BOOST_AUTO_TEST_CASE(readers_go_on_when_a_writer_of_another_loop_gives_up) {
  std::atomic<int> read = 0;
  run(run_options{.loops = 2}, [&]() -> task<> {
    shared_mutex m;
    for (int round = 0; round < rounds; ++round) {
      auto held = co_await m.lock_shared();
      co_await with_nursery([&](nursery& n) -> task<> {
        const auto reads = [&]() -> task<> {
          const auto mine = co_await m.lock_shared();
          ++read;
        };
        std::atomic<bool> going = false;
        const auto writer = n.start_on(1, [&]() -> task<> {
          going = true;
          const auto mine = co_await m.lock();
        });
        while (!going)
          co_await checkpoint();
        const auto here = n.start_soon(reads);
        const auto there = n.start_on(1, reads);
        for (int i = 0; i < round % 20; ++i)
          co_await checkpoint();
        writer.cancel();
        co_await here; // while `held` is held: nothing but the writer is in the way
        co_await there;
      });
    }
  });
  BOOST_TEST(read == 2 * rounds);
}

BOOST_AUTO_TEST_CASE(p10_event_wakes_those_who_still_wait) {
  std::atomic<int> woken = 0;
  run(run_options{.loops = 2}, [&]() -> task<> {
    for (int round = 0; round < rounds; ++round) {
      event go;
      co_await with_nursery([&](nursery& n) -> task<> {
        const auto gives_up = n.start_on(1, [&]() -> task<> { co_await go.wait(); });
        n.start_on(1, [&]() -> task<> {
          co_await go.wait();
          ++woken;
        });
        for (int i = 0; i < round % 20; ++i)
          co_await checkpoint();
        gives_up.cancel();
        go.set();
      });
    }
  });
  BOOST_TEST(woken == rounds);
}

BOOST_AUTO_TEST_CASE(p03_cancelled_receive_takes_nothing_and_cancelled_send_sends_nothing) {
  for (const std::size_t capacity : {0U, 1U}) {
    std::atomic<int> sent = 0;
    std::atomic<int> received = 0;
    decltype(std::declval<send_channel<int>&>().statistics()) end{};
    run(run_options{.loops = 2}, [&]() -> task<> {
      auto ends = make_channel<int>(capacity);
      for (int round = 0; round < rounds; ++round)
        co_await with_nursery([&](nursery& n) -> task<> {
          const auto sends = n.start_on(1, [&]() -> task<> {
            co_await ends.tx.send(1);
            ++sent;
          });
          const auto receives = n.start_on(1, [&]() -> task<> {
            static_cast<void>(co_await ends.rx.receive());
            ++received;
          });
          for (int i = 0; i < round % 20; ++i)
            co_await checkpoint();
          (round % 2 ? sends : receives).cancel();
          co_await checkpoint();
          n.cancel();
        });
      end = ends.tx.statistics();
    });
    BOOST_TEST(end.sent == static_cast<std::uint64_t>(sent));
    BOOST_TEST(end.received == static_cast<std::uint64_t>(received));
    BOOST_TEST(end.buffered == end.sent - end.received);
    BOOST_TEST(end.waiting_to_send + end.waiting_to_receive == 0U);
  }
}

BOOST_AUTO_TEST_CASE(batch_from_another_loop_takes_what_is_there) {
  std::vector<int> got;
  std::vector<int> rest;
  bool nothing_at_the_end = false;
  run(run_options{.loops = 2}, [&]() -> task<> {
    auto [tx, rx] = make_channel<int>(10);
    for (int i = 0; i < 5; ++i)
      co_await tx.send(i);
    co_await with_nursery([&, &tx = tx, &rx = rx](nursery& n) -> task<> {
      n.start_on(1, [&]() -> task<> {
        got = co_await rx.receive_batch(3);
        rest = co_await rx.receive_batch(100);
        tx.close();
        nothing_at_the_end = (co_await rx.receive_batch(100)).empty();
      });
      co_return;
    });
  });
  BOOST_TEST((got == std::vector{0, 1, 2}));
  BOOST_TEST((rest == std::vector{3, 4}));
  BOOST_TEST(nothing_at_the_end);
}

BOOST_AUTO_TEST_CASE(loops_that_race_for_a_channel_of_nobody_lose_nothing) {
  for (int round = 0; round < rounds; ++round) {
    auto ends = make_channel<int>(1); // outside of all loops: it is of the first that uses it
    std::atomic<bool> go = false;
    int sum = 0;
    run(run_options{.loops = 2}, [&]() -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_on(
          1,
          [&go](send_channel<int> tx) -> task<> {
            while (!go)
              co_await checkpoint();
            for (int i = 1; i <= 10; ++i)
              co_await tx.send(i);
          },
          std::move(ends.tx));
        const auto rx = std::make_unique<receive_channel<int>>(std::move(ends.rx));
        go = true;
        while (const auto value = co_await rx->next())
          sum += *value;
      });
    });
    BOOST_TEST(sum == 55);
  }
}

BOOST_AUTO_TEST_SUITE_END()
