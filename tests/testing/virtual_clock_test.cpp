// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/rough_time.hpp>
#include <troupe/testing/simulation.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/testing/wait_all_tasks_blocked.hpp>
#include <troupe/troupe.hpp>

#include <caf/all.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;
using troupe::testing::virtual_clock;

static_assert(!std::is_copy_constructible_v<virtual_clock>);

namespace {

run_options on(virtual_clock& time, unsigned loops = 1) {
  run_options options;
  options.loops = loops;
  options.time = &time;
  return options;
}

constexpr std::chrono::seconds day = 24h; // CAF knows no hours

} // namespace

BOOST_AUTO_TEST_SUITE(virtual_clocks)

BOOST_AUTO_TEST_CASE(a_day_of_ticks_passes) {
  const int ticks = run_virtually([]() -> task<int> {
    const auto began = current_time();
    int n = 0;
    for (; current_time() - began < day; ++n)
      co_await sleep_for(1s);
    co_return n;
  });
  BOOST_TEST(ticks == 86'400);
}

BOOST_AUTO_TEST_CASE(ten_thousand_timers_across_a_day_fire_in_order_and_on_time) {
  constexpr int timers = 10'000;
  std::vector<int> order;
  bool on_time = true;
  virtual_clock time;
  run(on(time), [&]() -> task<> {
    const auto began = current_time();
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < timers; ++i)
        n.start_soon([&, i]() -> task<> {
          const int when = i * 7919 % timers; // each once, in no order
          co_await sleep_for(when * (duration(day) / timers));
          on_time &= current_time() - began == when * (duration(day) / timers);
          order.push_back(when);
        });
      co_return;
    });
  });
  BOOST_TEST(order.size() == timers);
  BOOST_TEST(std::is_sorted(order.begin(), order.end()));
  BOOST_TEST(on_time);
  BOOST_TEST((time.now().time_since_epoch() == (timers - 1) * (duration(day) / timers)));
}

BOOST_AUTO_TEST_CASE(two_loops_share_the_time) {
  std::vector<int> order; // the next timer is only set off when nobody runs
  run_virtually(
    [&]() -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_on(1, [&]() -> task<> {
          for (int i = 1; i < 100; i += 2) {
            co_await sleep_until(time_point(i * 1min));
            order.push_back(i);
          }
        });
        for (int i = 0; i < 100; i += 2) {
          co_await sleep_until(time_point(i * 1min));
          order.push_back(i);
        }
      });
    },
    2);
  BOOST_TEST(order.size() == 100U);
  BOOST_TEST(std::is_sorted(order.begin(), order.end()));
}

BOOST_AUTO_TEST_CASE(without_autojump_a_task_moves_the_time) {
  virtual_clock time(false);
  run(on(time), [&]() -> task<> {
    int fired = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (const auto after : {1s, 2s, 3s})
        n.start_soon([&fired, after]() -> task<> {
          co_await sleep_for(after);
          ++fired;
        });
      const auto look = [&](duration by, int expected) -> task<> {
        time.advance(by);
        co_await testing::wait_all_tasks_blocked();
        BOOST_TEST(fired == expected);
      };
      co_await testing::wait_all_tasks_blocked();
      co_await look(999ms, 0);
      co_await look(1ms, 1);
      co_await look(0s, 1);
      co_await look(1h, 3); // both, and both see the new time
      BOOST_TEST((time.now() == time_point(1h + 1s)));
    });
  });
}

BOOST_AUTO_TEST_CASE(another_thread_moves_the_time_of_loops_that_sleep) {
  virtual_clock time(false);
  std::jthread ticking([&](std::stop_token stop) {
    while (!stop.stop_requested())
      time.advance(1ms);
  });
  run(on(time, 2), []() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_on(1, []() -> task<> { co_await sleep_for(1s); });
      co_await sleep_for(2s);
    });
  });
  BOOST_TEST((time.now() >= time_point(2s)));
}

BOOST_AUTO_TEST_CASE(a_thread_that_works_for_a_task_moves_the_time) {
  virtual_clock time(false);
  run(on(time), [&]() -> task<> {
    event told;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        co_await sleep_for(1h);
        told.set();
        BOOST_TEST((time.now() == time_point(1h)));
      });
      co_await testing::wait_all_tasks_blocked(); // it sleeps
      co_await to_thread([&] {
        time.advance(1h);
        from_thread([&]() -> task<> { co_await told.wait(); });
      });
    });
  });
}

BOOST_AUTO_TEST_CASE(autojump_can_be_switched_on_while_all_wait) {
  virtual_clock time(false);
  std::atomic<bool> begun = false;
  std::jthread other([&] {
    while (!begun)
      std::this_thread::yield();
    time.set_autojump(true);
  });
  run(on(time), [&]() -> task<> {
    begun = true;
    co_await sleep_for(day);
  });
  BOOST_TEST((time.now() == time_point(day)));
}

BOOST_AUTO_TEST_CASE(time_does_not_go_back) {
  virtual_clock time;
  BOOST_CHECK_THROW(time.advance(-1ns), usage_error);
  time.advance(duration::max());
  time.advance(1s);
  BOOST_TEST((time.now() == time_point::max()));
}

BOOST_AUTO_TEST_CASE(one_clock_serves_one_run_after_another) {
  virtual_clock time;
  for (const unsigned loops : {3U, 1U, 20U, 2U}) {
    run(on(time, loops), []() -> task<> { co_await sleep_for(1h); });
    time.advance(1h); // nobody is there
    time.set_autojump(true);
  }
  BOOST_TEST((time.now() == time_point(8h)));
}

BOOST_AUTO_TEST_CASE(a_deadline_comes_on_time) {
  run_virtually([]() -> task<> {
    const auto began = current_time();
    const bool ended = co_await move_on_after(day, []() -> task<> { co_await sleep_forever(); });
    BOOST_TEST(!ended);
    BOOST_TEST((current_time() - began == day));
  });
}

BOOST_AUTO_TEST_CASE(delayed_sends_of_ordinary_actors_keep_the_virtual_time) {
  for (const unsigned loops : {1U, 2U})
    run_virtually(
      []() -> task<> {
        auto& system = actor_system();
        std::vector<int> hours;
        event over;
        const auto began = current_time();
        auto note = [&](int hour) {
          BOOST_TEST((system.clock().now() - began == hour * 1h));
          hours.push_back(hour);
        };
        const auto sleeper = system.spawn([note](caf::event_based_actor* me) -> caf::behavior {
          for (const int hour : {24, 1, 12})
            me->delayed_send(me, std::chrono::seconds(hour * 1h), hour);
          return {[=](int hour) {
            note(hour);
            if (hour == 24)
              me->quit();
          }};
        });
        while (system.registry().running() != 0) // sleeps longer than the actor
          co_await sleep_for(30h);
        BOOST_TEST(hours == (std::vector{1, 12, 24}), boost::test_tools::per_element());
        BOOST_TEST((current_time() - began == 30h));
      },
      loops);
}

BOOST_AUTO_TEST_CASE(request_timeouts_of_ordinary_actors_keep_the_virtual_time) {
  run_virtually([]() -> task<> {
    auto& system = actor_system();
    const auto silent = system.spawn([](caf::event_based_actor* me) -> caf::behavior {
      return {[me](int) { return me->make_response_promise<int>(); }};
    });
    std::string outcome;
    const auto began = current_time();
    duration after{};
    const auto asking = system.spawn([&](caf::event_based_actor* me) {
      me->request(silent, day, 7)
        .then([&](int) { outcome = "answered"; },
              [&](const caf::error& e) {
                outcome = caf::to_string(caf::sec(e.code()));
                after = system.clock().now() - began;
              });
    });
    co_await sleep_for(30h);
    BOOST_TEST(outcome == "request_timeout");
    BOOST_TEST((after == day));
    caf::anon_send_exit(silent, caf::exit_reason::kill);
    caf::anon_send_exit(asking, caf::exit_reason::kill);
  });
}

BOOST_AUTO_TEST_CASE(receive_timeouts_of_ordinary_actors_keep_the_virtual_time) {
  run_virtually([]() -> task<> {
    auto& system = actor_system();
    const auto began = current_time();
    duration after{};
    system.spawn([&](caf::event_based_actor* me) -> caf::behavior {
      return {[](int) {}, caf::after(day) >>
                            [&, me] {
                              after = system.clock().now() - began;
                              me->quit();
                            }};
    });
    co_await sleep_for(30h);
    BOOST_TEST((after == day));
  });
}

BOOST_AUTO_TEST_CASE(rough_time_is_the_time_and_hardly_behind) {
  run_virtually([]() -> task<> {
    const auto begin = rough_time();
    BOOST_TEST((begin == current_time()));
    co_await sleep_for(3s);
    BOOST_TEST((rough_time() - begin == 3s));
  });
  run([]() -> task<> {
    for (int i = 0; i < 1000; ++i) {
      const auto before = current_time();
      const auto rough = rough_time();
      BOOST_TEST((rough <= current_time()));
      BOOST_TEST((rough > before - 100ms));
    }
    co_return;
  });
  const auto outside = rough_time(); // of all loops
  BOOST_TEST((outside <= current_time()));
}

BOOST_AUTO_TEST_CASE(the_calendar_goes_with_the_clock) {
  using std::chrono::system_clock;
  const system_clock::time_point begin = std::chrono::sys_days(std::chrono::year(2000) / 1 / 1);
  const auto look = [&]() -> task<> {
    const auto before = current_time();
    BOOST_TEST((current_wall_time() == begin + before.time_since_epoch()));
    co_await sleep_for(24h);
    BOOST_TEST((current_wall_time() == begin + before.time_since_epoch() + 24h));
    co_await to_thread([&] { // a thread asks the machine, in simulation what asks it
      BOOST_TEST((current_wall_time() >= begin + 24h));
    });
  };
  run_virtually(look);
  testing::simulate(1, look).value();

  const auto real = [&]() -> task<> {
    const auto earlier = system_clock::now();
    const auto now = current_wall_time();
    BOOST_TEST((earlier <= now && now <= system_clock::now()));
    co_return;
  };
  run(real);
}

BOOST_AUTO_TEST_SUITE_END()
