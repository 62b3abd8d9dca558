// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/sequencer.hpp>
#include <troupe/testing/test_failure.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/testing/wait_all_tasks_blocked.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;
using troupe::testing::sequencer;
using troupe::testing::test_failure;

static_assert(!std::is_copy_constructible_v<sequencer>);
static_assert(std::is_nothrow_move_constructible_v<sequencer::holder>);

BOOST_AUTO_TEST_SUITE(sequencers)

BOOST_AUTO_TEST_CASE(parts_of_tasks_run_in_the_order_of_their_numbers) {
  run_virtually([]() -> task<> {
    sequencer seq;
    std::string record;
    co_await with_nursery([&](nursery& n) -> task<> {
      const auto worker = [&](std::initializer_list<unsigned> turns) {
        n.start_soon([&, mine = std::vector<unsigned>(turns)]() -> task<> {
          for (const unsigned number : mine) {
            const auto turn = co_await seq.turn(number);
            co_await sleep_for(1s); // it lasts
            record += std::to_string(number);
          }
        });
      };
      worker({3, 4, 8});
      worker({1, 6});
      worker({0, 2, 5, 7});
      co_return;
    });
    BOOST_TEST(record == "012345678");
  });
}

BOOST_AUTO_TEST_CASE(a_turn_that_is_moved_lasts_on) {
  run_virtually([]() -> task<> {
    sequencer seq;
    bool second = false;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        const auto turn = co_await seq.turn(1);
        second = true;
      });
      {
        auto turn = co_await seq.turn(0);
        const auto kept = std::move(turn);
        co_await testing::wait_all_tasks_blocked();
        BOOST_TEST(!second);
      }
    });
    BOOST_TEST(second);
  });
}

BOOST_AUTO_TEST_CASE(a_turn_is_asked_for_once) {
  run_virtually([]() -> task<> {
    sequencer seq;
    static_cast<void>(co_await seq.turn(0));
    BOOST_CHECK_THROW(static_cast<void>(co_await seq.turn(0)), usage_error);
  });
}

BOOST_AUTO_TEST_CASE(cancelled_in_the_queue_it_breaks_the_order_for_all) {
  run_virtually([]() -> task<> {
    sequencer seq;
    int broken = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      const auto waiter = [&](unsigned number) {
        return n.start_soon([&, number]() -> task<> {
          try {
            static_cast<void>(co_await seq.turn(number));
          } catch (const test_failure& e) {
            BOOST_TEST(std::string(e.what()).find("turn " + std::to_string(number)) == 0U);
            ++broken;
          }
        });
      };
      waiter(2);
      auto victim = waiter(1);
      waiter(3);
      co_await testing::wait_all_tasks_blocked();
      victim.cancel();
      co_await testing::wait_all_tasks_blocked();
      BOOST_TEST(victim.cancelled());
      BOOST_TEST(broken == 2);
      waiter(4);
    });
    BOOST_TEST(broken == 3);
  });
}

BOOST_AUTO_TEST_SUITE_END()
