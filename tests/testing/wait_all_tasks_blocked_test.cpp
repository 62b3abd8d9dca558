// SPDX-License-Identifier: BSD-3-Clause
#include "support/stream_pair.hpp"

#include <troupe/testing/virtual_clock.hpp>
#include <troupe/testing/wait_all_tasks_blocked.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;
using troupe::testing::wait_all_tasks_blocked;

namespace {

task<> yields(int times, int& done) {
  for (int i = 0; i < times; ++i)
    co_await checkpoint();
  ++done;
  co_await sleep_forever();
}

/// On the real clock and on a virtual one, on one loop and on several.
template <class Body>
void everywhere(Body body) {
  for (const unsigned loops : {1U, 3U}) {
    BOOST_TEST_CONTEXT(loops << " loops") {
      run_virtually(body, loops);
      run_options options;
      options.loops = loops;
      run(options, body);
    }
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(waiting_until_all_are_blocked)

BOOST_AUTO_TEST_CASE(goes_on_when_all_others_wait) {
  everywhere([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      int done = 0;
      for (const int times : {0, 1, 10, 1000})
        n.start_soon(yields, times, std::ref(done));
      co_await wait_all_tasks_blocked();
      BOOST_TEST(done == 4);
      n.cancel();
    });
  });
}

BOOST_AUTO_TEST_CASE(alone_it_goes_on_at_once_and_again) {
  everywhere([]() -> task<> {
    for (int i = 0; i < 100; ++i)
      co_await wait_all_tasks_blocked();
    BOOST_TEST(true);
  });
}

BOOST_AUTO_TEST_CASE(sees_the_end_of_a_chain_over_other_loops) {
  everywhere([]() -> task<> {
    constexpr unsigned hops = 30;
    unsigned arrived = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        for (unsigned i = 0; i < hops; ++i) {
          co_await with_nursery([&](nursery& there) -> task<> {
            there.start_on(i, []() -> task<> { co_await checkpoint(); });
            co_return;
          });
          ++arrived;
        }
      });
      co_await wait_all_tasks_blocked();
      BOOST_TEST(arrived == hops);
    });
  });
}

BOOST_AUTO_TEST_CASE(waits_for_tasks_of_other_loops_and_can_be_called_there) {
  run_virtually(
    []() -> task<> {
      std::atomic<int> done = 0;
      co_await with_nursery([&](nursery& n) -> task<> {
        for (unsigned i = 0; i < 3; ++i)
          n.start_on(i, [&done]() -> task<> {
            for (int k = 0; k < 5000; ++k)
              co_await checkpoint();
            ++done;
            co_await wait_all_tasks_blocked();
            BOOST_TEST(done == 3);
          });
        co_await wait_all_tasks_blocked();
        BOOST_TEST(done == 3);
      });
    },
    3);
}

BOOST_AUTO_TEST_CASE(virtual_time_does_not_jump_before) {
  everywhere([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      bool woken = false;
      n.start_soon([&]() -> task<> {
        co_await sleep_for(1h);
        woken = true;
      });
      co_await wait_all_tasks_blocked();
      BOOST_TEST(!woken);
      n.cancel();
    });
  });
}

BOOST_AUTO_TEST_CASE(a_cushion_is_kept_by_the_clock_of_the_runtime) {
  run_virtually([]() -> task<> {
    std::vector<std::string> order;
    co_await with_nursery([&](nursery& n) -> task<> {
      const auto began = current_time();
      const auto waiter = [&](std::string name, duration cushion, duration expected) {
        n.start_soon([=, &order]() -> task<> {
          co_await wait_all_tasks_blocked(cushion);
          order.push_back(name);
          BOOST_TEST((current_time() - began == expected), name);
        });
      };
      waiter("long", 30min, 62min); // nothing has happened since 32 min
      waiter("short", 2min, 32min);
      waiter("none", 0s, 0s);
      for (int i = 0; i < 30; ++i)
        co_await sleep_for(1min);
    });
    BOOST_TEST(order == (std::vector<std::string>{"none", "short", "long"}),
               boost::test_tools::per_element());
  });
}

BOOST_AUTO_TEST_CASE(a_cushion_holds_over_loops) {
  run_virtually(
    []() -> task<> {
      co_await with_nursery([](nursery& n) -> task<> {
        const auto began = current_time();
        n.start_on(1, []() -> task<> {
          for (int i = 0; i < 30; ++i)
            co_await sleep_for(1min);
        });
        co_await wait_all_tasks_blocked(2min);
        BOOST_TEST((current_time() - began >= 32min));
        BOOST_TEST((current_time() - began <= 36min));
      });
    },
    2);
}

BOOST_AUTO_TEST_CASE(a_short_cushion_ends_on_the_real_clock) {
  run([]() -> task<> {
    const auto began = current_time();
    co_await wait_all_tasks_blocked(1ms);
    BOOST_TEST((current_time() - began >= 1ms));
  });
}

BOOST_AUTO_TEST_CASE(sees_what_is_in_a_pipe_already) {
  everywhere([]() -> task<> {
    pipe_ends p = make_pipe();
    std::string got;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        for (;;)
          got += co_await troupe_test::read_text(p.reader);
      });
      co_await wait_all_tasks_blocked();
      co_await p.writer.write_all("one");
      co_await wait_all_tasks_blocked();
      BOOST_TEST(got == "one");
      n.cancel();
    });
  });
}

BOOST_AUTO_TEST_CASE(cancelled_it_is_forgotten) {
  everywhere([]() -> task<> {
    for (const duration cushion : {0s, 3600s}) {
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([&]() -> task<> { co_await wait_all_tasks_blocked(cushion); });
        co_await checkpoint();
        n.cancel();
        co_return;
      });
      co_await wait_all_tasks_blocked();
    }
    BOOST_TEST(true);
  });
}

BOOST_AUTO_TEST_SUITE_END()
