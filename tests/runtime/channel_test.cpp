// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/channel.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/testing/wait_all_tasks_blocked.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <memory>
#include <numeric>
#include <random>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;
using troupe::testing::wait_all_tasks_blocked;

namespace {

bool balanced(const detail::channel_statistics& s) {
  return s.sent == s.received + s.undelivered + s.buffered;
}

} // namespace

BOOST_AUTO_TEST_SUITE(channel_suite)

BOOST_AUTO_TEST_CASE(p11_values_arrive_in_order_at_every_capacity) {
  for (std::size_t capacity : {0U, 1U, 2U, 100U})
    run_virtually([capacity]() -> task<> {
      auto ends = make_channel<int>(capacity);
      std::vector<int> got;
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon(
          [](send_channel<int> tx) -> task<> {
            for (int i = 0; i < 1000; ++i)
              co_await tx.send(i);
          },
          std::move(ends.tx));
        while (auto x = co_await ends.rx.next())
          got.push_back(*x);
      });
      std::vector<int> expected(1000);
      std::iota(expected.begin(), expected.end(), 0);
      BOOST_TEST(got == expected, boost::test_tools::per_element());
      const auto s = ends.rx.statistics();
      BOOST_TEST(balanced(s));
      BOOST_TEST(s.sent == 1000U);
    });
}

BOOST_AUTO_TEST_CASE(aggregates_are_sent_by_name_or_made_in_place) {
  struct job {
    int id;
    std::string text;
  };
  run_virtually([]() -> task<> {
    auto ends = make_channel<job>(3);
    const std::string text(100, 'x');
    job one{1, text};
    co_await ends.tx.send(one);
    co_await ends.tx.emplace(std::move(one));
    co_await ends.tx.emplace(3, text);
    int sum = 0;
    for (const auto& j : co_await ends.rx.receive_batch(3)) {
      BOOST_TEST(j.text == text);
      sum += j.id;
    }
    BOOST_TEST(sum == 5);
  });
}

BOOST_AUTO_TEST_CASE(a_full_channel_makes_the_sender_wait) {
  run_virtually([]() -> task<> {
    auto ends = make_channel<int>(2);
    int sent = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        for (; sent < 5; ++sent)
          co_await ends.tx.send(sent);
      });
      co_await wait_all_tasks_blocked();
      BOOST_TEST(sent == 2);
      int more = 9;
      BOOST_TEST(!ends.tx.try_send(more));
      BOOST_TEST(co_await ends.rx.receive() == 0);
      co_await wait_all_tasks_blocked();
      BOOST_TEST(sent == 3);
      BOOST_TEST((co_await ends.rx.receive_batch(10)).size() >= 2U);
      co_await wait_all_tasks_blocked();
    });
    BOOST_TEST(sent == 5);
  });
}

BOOST_AUTO_TEST_CASE(p03_a_cancelled_send_has_sent_nothing) {
  run_virtually([]() -> task<> {
    auto ends = make_channel<std::unique_ptr<int>>(0);
    BOOST_TEST(!co_await move_on_after(
      1s, [&]() -> task<> { co_await ends.tx.send(std::make_unique<int>(1)); }));
    BOOST_TEST(!ends.rx.try_receive().has_value());
    BOOST_TEST(ends.rx.statistics().sent == 0U);
  });
}

BOOST_AUTO_TEST_CASE(p03_a_value_on_its_way_to_a_cancelled_receiver_is_delivered) {
  run_virtually([]() -> task<> {
    auto ends = make_channel<int>(0);
    int got = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      auto h = n.start_soon([&]() -> task<> { got = co_await ends.rx.receive(); });
      co_await wait_all_tasks_blocked();
      BOOST_TEST(ends.tx.try_send(7));
      h.cancel();
      co_await wait_all_tasks_blocked();
      BOOST_TEST(!h.cancelled());
    });
    BOOST_TEST(got == 7);
  });
}

BOOST_AUTO_TEST_CASE(p03_a_cancelled_receive_has_taken_nothing) {
  run_virtually([]() -> task<> {
    auto ends = make_channel<int>(1);
    BOOST_TEST(!co_await move_on_after(1s, [&]() -> task<> { co_await ends.rx.receive(); }));
    BOOST_TEST(ends.tx.try_send(1));
    co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      s.cancel();
      co_await ends.rx.receive();
    });
    BOOST_TEST(ends.rx.statistics().buffered == 1U);
  });
}

BOOST_AUTO_TEST_CASE(closing_the_last_sender_ends_the_channel_after_what_is_buffered) {
  run_virtually([]() -> task<> {
    auto ends = make_channel<int>(5);
    auto second = ends.tx.clone();
    co_await ends.tx.send(1);
    ends.tx.close();
    co_await second.send(2);
    second.close();
    BOOST_TEST(co_await ends.rx.receive() == 1);
    BOOST_TEST(*co_await ends.rx.next() == 2);
    BOOST_TEST(!(co_await ends.rx.next()).has_value());
    BOOST_CHECK_THROW(co_await ends.rx.receive(), end_of_channel);
    BOOST_CHECK_THROW(static_cast<void>(ends.rx.try_receive()), end_of_channel);
    BOOST_CHECK_THROW(co_await ends.tx.send(3), closed_resource_error);
  });
}

BOOST_AUTO_TEST_CASE(closing_the_last_receiver_breaks_the_channel) {
  run_virtually([]() -> task<> {
    auto ends = make_channel<int>(1);
    co_await ends.tx.send(1);
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon(
        [&]() -> task<> { BOOST_CHECK_THROW(co_await ends.tx.send(2), broken_resource_error); });
      co_await wait_all_tasks_blocked();
      ends.rx.close();
    });
    const auto s = ends.tx.statistics();
    BOOST_TEST(s.undelivered == 1U);
    BOOST_TEST(balanced(s));
    int x = 3;
    BOOST_CHECK_THROW(static_cast<void>(ends.tx.try_send(x)), broken_resource_error);
  });
}

BOOST_AUTO_TEST_CASE(closing_an_end_wakes_who_waits_in_it) {
  run_virtually([]() -> task<> {
    auto ends = make_channel<int>(0);
    auto other = ends.rx.clone();
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon(
        [&]() -> task<> { BOOST_CHECK_THROW(co_await ends.rx.next(), closed_resource_error); });
      auto alive = n.start_soon([&]() -> task<int> { co_return co_await other.receive(); });
      co_await wait_all_tasks_blocked();
      ends.rx.close();
      co_await ends.tx.send(4);
      BOOST_TEST(co_await alive == 4);
    });
  });
}

BOOST_AUTO_TEST_CASE(p11_random_cancels_lose_and_double_nothing) {
  for (unsigned seed = 0; seed < 100; ++seed)
    run_virtually([seed]() -> task<> {
      std::mt19937 random(seed);
      auto ends = make_channel<int>(random() % 4);
      std::vector<int> sent, got;
      co_await with_nursery([&](nursery& n) -> task<> {
        for (int i = 0; i < 100; ++i) {
          const auto patience = std::chrono::milliseconds(random() % 5);
          if (random() % 2 == 0)
            n.start_soon([&, i, patience]() -> task<> {
              co_await sleep_for(patience);
              co_await move_on_after(patience, [&]() -> task<> {
                co_await ends.tx.send(i);
                sent.push_back(i);
              });
            });
          else
            n.start_soon([&, patience]() -> task<> {
              co_await sleep_for(patience);
              co_await move_on_after(
                patience, [&]() -> task<> { got.push_back(co_await ends.rx.receive()); });
            });
        }
        co_return;
      });
      while (auto rest = ends.rx.try_receive())
        got.push_back(*rest);
      std::sort(sent.begin(), sent.end());
      std::sort(got.begin(), got.end());
      BOOST_TEST(sent == got, boost::test_tools::per_element());
      BOOST_TEST(balanced(ends.rx.statistics()));
    });
}

BOOST_AUTO_TEST_SUITE_END()
