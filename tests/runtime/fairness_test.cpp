// SPDX-License-Identifier: BSD-3-Clause
// No kind of work on a loop starves another, and nothing overtakes or gets lost.
#include "support/loopback.hpp"
#include "support/stream_pair.hpp"

#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe_test::echo;
using troupe_test::loopback;
using troupe_test::read_text;

namespace {

/// Talks to itself over loopback, as a sign that sockets are looked at.
task<> hundred_round_trips() {
  tcp_listener listener(0, loopback);
  const auto port = listener.port();
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      tcp_stream peer = co_await listener.accept();
      co_await echo(peer);
    });
    tcp_stream client = co_await open_tcp_stream("127.0.0.1", port);
    for (int i = 0; i < 100; ++i) {
      co_await client.write_all("ping");
      BOOST_TEST(co_await read_text(client) == "ping");
    }
  });
}

/// Time that goes on by a microsecond whenever somebody asks for it: a loop that is
/// never idle has its timers all the same.
class ticking_time final : public detail::time_source {
public:
  [[nodiscard]] time_point now() const noexcept override { return now_ += 1us; }
  bool idle(detail::loop&, time_point next) noexcept override {
    if (next == time_point::max())
      return false;
    now_ = next;
    return true;
  }
  void busy(detail::loop&) noexcept override {}

private:
  mutable time_point now_{};
};

run_options one_loop() {
  run_options options;
  options.loops = 1;
  return options;
}

/// A message that comes again as long as `on` is set.
class echo_of_itself final : public detail::inbox_node {
public:
  echo_of_itself(detail::loop& l, std::size_t& left) noexcept : loop_(l), left_(left) {}
  void run() noexcept override {
    ++runs;
    if (on)
      loop_.post(*this);
    else
      --left_;
  }

  static inline bool on = false;
  static inline std::size_t runs = 0;

private:
  detail::loop& loop_;
  std::size_t& left_;
};

/// Runs `body` while a thousand messages come again and again.
template <class Body>
task<> in_a_flood(Body body) {
  detail::loop& here = *detail::loop::current();
  std::size_t left = 1000;
  std::vector<std::unique_ptr<echo_of_itself>> messages;
  echo_of_itself::on = true;
  for (std::size_t i = 0; i < left; ++i)
    here.post(*messages.emplace_back(std::make_unique<echo_of_itself>(here, left)));
  co_await body();
  echo_of_itself::on = false;
  while (left != 0)
    co_await checkpoint();
}

} // namespace

BOOST_AUTO_TEST_SUITE(fairness_suite)

BOOST_AUTO_TEST_CASE(p10_tasks_that_yield_do_not_starve_sockets) {
  run(one_loop(), []() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      n.start_service([]() -> task<> {
        for (;;)
          co_await checkpoint();
      });
      co_await hundred_round_trips();
    });
  });
}

BOOST_AUTO_TEST_CASE(p10_all_sockets_that_are_ready_are_served_between_two_slices) {
  constexpr std::size_t count = 100;
  run(one_loop(), []() -> task<> {
    std::size_t yields = 0;
    std::set<std::size_t> served_at;
    tcp_listener listener(0, loopback);
    co_await with_nursery([&](nursery& n) -> task<> {
      std::vector<tcp_stream> clients;
      std::size_t reading = 0;
      for (std::size_t i = 0; i < count; ++i) {
        clients.push_back(co_await open_tcp_stream("127.0.0.1", listener.port()));
        n.start_soon(
          [&](tcp_stream peer) -> task<> {
            ++reading;
            co_await read_text(peer);
            served_at.insert(yields);
          },
          co_await listener.accept());
      }
      while (reading != count)
        co_await checkpoint();
      n.start_service([&]() -> task<> {
        for (;; ++yields)
          co_await checkpoint();
      });
      for (auto& c : clients)
        co_await c.write_all("now");
    });
    BOOST_TEST(served_at.size() < count / 5);
  });
}

BOOST_AUTO_TEST_CASE(p10_tasks_that_yield_do_not_starve_timers) {
  ticking_time time;
  run_options options = one_loop();
  options.time = &time;
  std::size_t yields = 0;
  run(options, [&]() -> task<> {
    co_await move_on_after(1ms, [&]() -> task<> {
      for (;; ++yields)
        co_await checkpoint();
    });
  });
  BOOST_TEST(yields <= 64U * 1000U); // the time is asked for after 64 steps
  BOOST_TEST(yields > 0U);
}

BOOST_AUTO_TEST_CASE(p10_a_flood_of_messages_does_not_starve_tasks_that_yield) {
  run(one_loop(), []() -> task<> {
    std::size_t most = 0;
    co_await in_a_flood([&]() -> task<> {
      for (int i = 0; i < 1000; ++i) {
        const std::size_t before = echo_of_itself::runs;
        co_await checkpoint();
        most = std::max(most, echo_of_itself::runs - before);
      }
    });
    BOOST_TEST(most <= 64U); // although a thousand are there
    BOOST_TEST(most > 0U);
  });
}

BOOST_AUTO_TEST_CASE(p10_a_flood_of_messages_does_not_starve_sockets) {
  run(one_loop(), []() -> task<> { co_await in_a_flood(hundred_round_trips); });
}

BOOST_AUTO_TEST_CASE(p10_a_flood_of_messages_does_not_starve_timers) {
  ticking_time time;
  run_options options = one_loop();
  options.time = &time;
  run(options, []() -> task<> {
    co_await in_a_flood([]() -> task<> {
      const auto until = current_time() + 1ms;
      co_await sleep_until(until);
      BOOST_TEST((current_time() < until + 1ms));
    });
  });
}

BOOST_AUTO_TEST_CASE(p10_a_flood_from_other_threads_does_not_starve_anything) {
  run(one_loop(), []() -> task<> {
    std::atomic<bool> on{true};
    std::vector<std::thread> senders;
    co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      co_await with_cancel_scope([&](cancel_scope& inner) -> task<> {
        for (int i = 0; i < 2; ++i)
          senders.emplace_back([&on, c = inner.remote()] {
            while (on) {
              c.cancel(); // a message, whether or not it is the first
              std::this_thread::yield();
            }
          });
        co_await sleep_forever();
      });
      co_await hundred_round_trips();
      co_await sleep_for(1us);
      for (int i = 0; i < 1000; ++i)
        co_await checkpoint();
      BOOST_TEST(!s.cancel_called());
    });
    on = false;
    for (auto& t : senders)
      t.join();
  });
}

BOOST_AUTO_TEST_CASE(p10_what_becomes_ready_first_runs_first) {
  troupe::testing::run_virtually([]() -> task<> {
    std::vector<int> order;
    event one;
    event two;
    semaphore none(0);
    co_await with_nursery([&](nursery& n) -> task<> {
      const auto note = [&order](int i) { order.push_back(i); };
      for (const int i : {0, 3})
        n.start_soon([&, i]() -> task<> {
          co_await one.wait();
          note(i);
        });
      for (const int i : {1, 4})
        n.start_soon([&, i]() -> task<> {
          co_await two.wait();
          note(i);
        });
      n.start_soon([&]() -> task<> {
        co_await none.acquire();
        note(2);
      });
      co_await sleep_for(1us); // all wait now
      one.set();               // 0 and 3
      none.release();          // 2
      two.set();               // 1 and 4
      n.start_soon([&]() -> task<> {
        note(5);
        co_await checkpoint(); // behind what was ready when it gave way
        note(7);
      });
      n.start_soon([&]() -> task<> {
        note(6);
        co_return;
      });
    });
    BOOST_TEST((order == std::vector{0, 3, 2, 1, 4, 5, 6, 7}));
  });
}

namespace {

/// Makes `wake` and `cancel` happen in one step, in either order, to a task that waits
/// in `waits`, and gives how often it went on with what it waited for.
template <class Waits, class Wake>
task<int> wake_and_cancel(bool wake_first, Waits waits, Wake wake) {
  int came_back = 0;
  int unwound = 0;
  struct at_the_end {
    int& n;
    ~at_the_end() { ++n; }
  };
  co_await with_nursery([&](nursery& n) -> task<> {
    auto waiter = n.start_soon([&]() -> task<> {
      const at_the_end here{unwound};
      co_await waits();
      ++came_back;
      co_await sleep_forever(); // cancelled here at the latest
    });
    co_await checkpoint();
    co_await checkpoint();
    if (wake_first) {
      wake();
      waiter.cancel();
    } else {
      waiter.cancel();
      wake();
    }
  });
  BOOST_TEST(unwound == 1);
  co_return came_back;
}

} // namespace

BOOST_AUTO_TEST_CASE(p10_no_wake_up_is_lost_or_doubled_by_a_cancel) {
  troupe::testing::run_virtually([]() -> task<> {
    for (const bool wake_first : {true, false}) {
      const int expected = wake_first ? 1 : 0;
      event happened;
      BOOST_TEST(
        co_await wake_and_cancel(
          wake_first, [&]() -> task<> { co_await happened.wait(); }, [&] { happened.set(); })
        == expected);
      semaphore permits(0);
      BOOST_TEST(co_await wake_and_cancel(
                   wake_first, [&]() -> task<> { const auto permit = co_await permits.acquire(); },
                   [&] { permits.release(); })
                 == expected);
      BOOST_TEST(permits.value() == 1U); // not lost on the way
      auto ends = make_channel<int>(0);
      bool taken = false;
      BOOST_TEST(co_await wake_and_cancel(
                   wake_first, [&]() -> task<> { co_await ends.rx.receive(); },
                   [&] { taken = ends.tx.try_send(1); })
                 == expected);
      BOOST_TEST(taken == wake_first);
    }
  });
}

BOOST_AUTO_TEST_CASE(p08_p10_a_sleep_and_a_deadline_at_the_same_time_end_once) {
  troupe::testing::run_virtually([]() -> task<> {
    // The timer that was set first fires first: here the scope's, there the sleep's.
    bool slept = false;
    const bool in_time = co_await move_on_after(5us, [&]() -> task<> {
      co_await sleep_for(5us);
      slept = true;
    });
    BOOST_TEST(!in_time);
    BOOST_TEST(!slept);
    bool reached = false;
    co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([&]() -> task<> {
          co_await sleep_for(5us);
          reached = true; // its result was on its way
          co_await checkpoint();
          BOOST_ERROR("a checkpoint behind it is cancelled");
        });
        co_await checkpoint();
        s.deadline(current_time() + 5us);
        co_await sleep_forever();
      });
    });
    BOOST_TEST(reached);
  });
}

BOOST_AUTO_TEST_SUITE_END()
