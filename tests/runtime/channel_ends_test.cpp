// SPDX-License-Identifier: BSD-3-Clause
// Many ends on each side of a channel: who gets what, and who hears of a close.

#include <troupe/channel.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/testing/wait_all_tasks_blocked.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <set>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;
using troupe::testing::wait_all_tasks_blocked;

BOOST_AUTO_TEST_SUITE(channel_ends_suite)

BOOST_AUTO_TEST_CASE(producers_that_close_their_ends_end_the_channel) {
  run_virtually([]() -> task<> {
    auto ends = make_channel<int>(0);
    std::vector<int> got;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 10; ++i)
        n.start_soon(
          [](send_channel<int> tx, int first) -> task<> {
            for (int k = first; k < first + 3; ++k)
              co_await tx.send(k);
          },
          ends.tx.clone(), 3 * i);
      ends.tx.close();
      while (auto x = co_await ends.rx.next())
        got.push_back(*x);
    });
    std::sort(got.begin(), got.end());
    BOOST_TEST(got.size() == 30U);
    for (int i = 0; i < 30; ++i)
      BOOST_TEST(got[static_cast<std::size_t>(i)] == i);
  });
}

BOOST_AUTO_TEST_CASE(p10_consumers_that_wait_are_served_in_turn) {
  run_virtually([]() -> task<> {
    auto ends = make_channel<int>(1);
    std::vector<int> served(5);
    co_await with_nursery([&](nursery& n) -> task<> {
      for (std::size_t i = 0; i < 5; ++i)
        n.start_soon([&, i]() -> task<> {
          while (co_await ends.rx.next())
            ++served[i];
        });
      co_await wait_all_tasks_blocked();
      for (int i = 0; i < 10; ++i) {
        co_await ends.tx.send(i);
        co_await wait_all_tasks_blocked();
      }
      ends.tx.close();
    });
    const std::vector<int> expected(5, 2);
    BOOST_TEST(served == expected, boost::test_tools::per_element());
  });
}

BOOST_AUTO_TEST_CASE(p10_what_is_meant_for_one_who_waits_cannot_be_snatched) {
  run_virtually([]() -> task<> {
    auto ends = make_channel<int>(1);
    int got = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { got = co_await ends.rx.receive(); });
      co_await wait_all_tasks_blocked();
      BOOST_TEST(ends.tx.try_send(2));
      BOOST_TEST(!ends.rx.try_receive().has_value());
    });
    BOOST_TEST(got == 2);
    // and the same for room that becomes free
    BOOST_TEST(ends.tx.try_send(1));
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { co_await ends.tx.send(2); });
      co_await wait_all_tasks_blocked();
      BOOST_TEST(ends.rx.try_receive().value() == 1);
      BOOST_TEST(!ends.tx.try_send(3));
      BOOST_TEST(co_await ends.rx.receive() == 2);
    });
  });
}

BOOST_AUTO_TEST_CASE(closing_one_end_wakes_only_those_who_wait_in_it) {
  run_virtually([]() -> task<> {
    auto ends = make_channel<int>(0);
    auto second = ends.tx.clone();
    bool refused = false, sent = false;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        BOOST_CHECK_THROW(co_await ends.tx.send(1), closed_resource_error);
        refused = true;
      });
      n.start_soon([&]() -> task<> {
        co_await second.send(2);
        sent = true;
      });
      co_await wait_all_tasks_blocked();
      ends.tx.close();
      co_await wait_all_tasks_blocked();
      BOOST_TEST(refused);
      BOOST_TEST(!sent);
      BOOST_TEST(co_await ends.rx.receive() == 2);
    });
    BOOST_TEST(sent);
  });
}

BOOST_AUTO_TEST_CASE(a_closed_end_stays_closed) {
  run_virtually([]() -> task<> {
    auto ends = make_channel<int>(3);
    BOOST_TEST(ends.tx.try_send(1));
    ends.tx.close();
    ends.tx.close(); // idempotent
    BOOST_CHECK_THROW(co_await ends.tx.send(1), closed_resource_error);
    BOOST_CHECK_THROW(static_cast<void>(ends.tx.try_send(1)), closed_resource_error);
    BOOST_CHECK_THROW(static_cast<void>(ends.tx.clone()), closed_resource_error);
    BOOST_CHECK_THROW(static_cast<void>(ends.tx.statistics()), closed_resource_error);
    BOOST_TEST(ends.rx.try_receive().value() == 1);
    BOOST_CHECK_THROW(co_await ends.rx.receive(), end_of_channel);
    ends.rx.close();
    ends.rx.close();
    BOOST_CHECK_THROW(co_await ends.rx.receive(), closed_resource_error);
    BOOST_CHECK_THROW(static_cast<void>(co_await ends.rx.next()), closed_resource_error);
    BOOST_CHECK_THROW(static_cast<void>(ends.rx.try_receive()), closed_resource_error);
    BOOST_CHECK_THROW(static_cast<void>(ends.rx.clone()), closed_resource_error);
    BOOST_CHECK_THROW(static_cast<void>(co_await ends.rx.receive_batch(1)), closed_resource_error);
  });
}

BOOST_AUTO_TEST_CASE(the_last_receiver_breaks_the_channel_not_one_before) {
  run_virtually([]() -> task<> {
    auto ends = make_channel<int>(10);
    {
      auto second = ends.rx.clone();
      auto third = ends.rx.clone();
      ends.rx.close();
      BOOST_TEST(ends.tx.statistics().receivers == 2U);
      second.close();
      BOOST_TEST(ends.tx.try_send(1));
    } // the destructor closes the third
    BOOST_CHECK_THROW(static_cast<void>(ends.tx.try_send(2)), broken_resource_error);
    BOOST_CHECK_THROW(co_await ends.tx.send(2), broken_resource_error);
    BOOST_TEST(ends.tx.statistics().undelivered == 1U);
  });
}

BOOST_AUTO_TEST_CASE(the_end_of_the_channel_wakes_all_receivers) {
  run_virtually([]() -> task<> {
    auto ends = make_channel<int>(1);
    int ended = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 3; ++i)
        n.start_soon([&]() -> task<> {
          if (!co_await ends.rx.next())
            ++ended;
        });
      n.start_soon([&]() -> task<> {
        BOOST_TEST((co_await ends.rx.receive_batch(5)).empty());
        ++ended;
      });
      co_await wait_all_tasks_blocked();
      ends.tx.close();
    });
    BOOST_TEST(ended == 4);
  });
}

BOOST_AUTO_TEST_CASE(an_unbounded_channel_never_makes_a_sender_wait) {
  run_virtually([]() -> task<> {
    auto ends = make_unbounded_channel<int>();
    for (int i = 0; i < 1000; ++i)
      BOOST_TEST(ends.tx.try_send(i));
    ends.tx.close();
    for (int i = 0; i < 1000; ++i)
      BOOST_TEST(co_await ends.rx.receive() == i);
    BOOST_TEST(!(co_await ends.rx.next()).has_value());
  });
}

BOOST_AUTO_TEST_CASE(statistics_count_ends_and_those_who_wait) {
  run_virtually([]() -> task<> {
    auto ends = make_channel<int>(1);
    auto tx = ends.tx.clone();
    auto rx = ends.rx.clone();
    const auto now = [&] { return ends.tx.statistics(); };
    BOOST_TEST(now().capacity == 1U);
    BOOST_TEST(now().senders == 2U);
    BOOST_TEST(now().receivers == 2U);
    tx.close();
    rx.close();
    BOOST_TEST(now().senders == 1U);
    BOOST_TEST(now().receivers == 1U);
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 3; ++i)
        n.start_soon([&]() -> task<> { co_await ends.tx.send(1); });
      co_await wait_all_tasks_blocked();
      BOOST_TEST(now().buffered == 1U);
      BOOST_TEST(now().waiting_to_send == 2U);
      n.cancel();
    });
    BOOST_TEST(now().waiting_to_send == 0U);
    BOOST_TEST(now().sent == 1U);
    BOOST_TEST(ends.rx.try_receive().has_value());
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { co_await ends.rx.receive(); });
      co_await wait_all_tasks_blocked();
      BOOST_TEST(now().waiting_to_receive == 1U);
      n.cancel();
    });
    BOOST_TEST(now().waiting_to_receive == 0U);
  });
}

BOOST_AUTO_TEST_CASE(a_batch_takes_what_is_there_and_no_more_than_asked_for) {
  run_virtually([]() -> task<> {
    auto ends = make_channel<int>(5);
    for (int i = 0; i < 5; ++i)
      BOOST_TEST(ends.tx.try_send(i));
    BOOST_TEST((co_await ends.rx.receive_batch(0)).empty());
    const auto got2 = co_await ends.rx.receive_batch(2);
    const std::vector<int> expected2{0, 1};
    BOOST_TEST(got2 == expected2, boost::test_tools::per_element());
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 5; i < 9; ++i)
        n.start_soon([&, i]() -> task<> { co_await ends.tx.send(i); });
      co_await wait_all_tasks_blocked();
      // what waits to be sent is there as well
      const auto got100 = co_await ends.rx.receive_batch(100);
      const std::vector<int> expected100{2, 3, 4, 5, 6, 7, 8};
      BOOST_TEST(got100 == expected100, boost::test_tools::per_element());
    });
    BOOST_TEST(!co_await move_on_after(
      1s, [&]() -> task<> { static_cast<void>(co_await ends.rx.receive_batch(3)); }));
    BOOST_TEST(ends.tx.try_send(9));
    BOOST_TEST(!co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      s.cancel();
      static_cast<void>(co_await ends.rx.receive_batch(3));
    }));
    BOOST_TEST(ends.rx.statistics().buffered == 1U); // p03: it has taken nothing
  });
}

BOOST_AUTO_TEST_CASE(an_operation_that_is_not_awaited_has_no_effect) {
  run_virtually([]() -> task<> {
    auto ends = make_channel<int>(1);
    {
      auto send = ends.tx.send(1);
      auto receive = ends.rx.receive();
    }
    BOOST_TEST(ends.tx.statistics().sent == 0U);
    BOOST_TEST(ends.tx.try_send(2));
    BOOST_TEST(co_await ends.rx.receive() == 2);
  });
}

BOOST_AUTO_TEST_CASE(values_need_be_neither_copied_nor_moved_without_throwing) {
  struct awkward {
    int n;
    explicit awkward(int x) : n(x) {}
    awkward(awkward&& other) noexcept(false) : n(other.n) {}
    awkward& operator=(awkward&&) = delete;
  };
  run_virtually([]() -> task<> {
    for (const std::size_t capacity : {std::size_t{0}, std::size_t{20}}) {
      auto ends = make_channel<awkward>(capacity);
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([&]() -> task<> {
          for (int i = 0; i < 20; ++i)
            co_await ends.tx.send(awkward(i));
          ends.tx.close();
        });
        int expected = 0;
        while (auto x = co_await ends.rx.next())
          BOOST_TEST(x->n == expected++);
        BOOST_TEST(expected == 20);
      });
    }
  });
}

BOOST_AUTO_TEST_CASE(the_ends_may_go_while_their_operations_are_on_their_way) {
  run_virtually([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      auto ends = std::make_unique<channel_ends<int>>(make_channel<int>(0));
      auto receiver = n.start_soon(
        [](channel_ends<int>& e) -> task<bool> { co_return (co_await e.rx.next()).has_value(); },
        std::ref(*ends));
      co_await wait_all_tasks_blocked();
      BOOST_TEST(ends->tx.try_send(1));
      ends.reset(); // the value is delivered all the same
      BOOST_TEST(co_await receiver);

      ends = std::make_unique<channel_ends<int>>(make_channel<int>(0));
      n.start_soon(
        [](channel_ends<int>& e) -> task<> {
          BOOST_CHECK_THROW(co_await e.tx.send(1), broken_resource_error);
        },
        std::ref(*ends));
      co_await wait_all_tasks_blocked();
      ends.reset(); // the receiving end goes first
    });
  });
}

BOOST_AUTO_TEST_SUITE_END()
