// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actor.hpp>
#include <troupe/actors/rate_limiter.hpp>
#include <troupe/cancel_scope.hpp>
#include <troupe/nursery.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/time.hpp>

#include <caf/event_based_actor.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(rate_limiters)

TROUPE_TEST_CASE(burst_goes_at_once_and_then_the_rate_holds) {
  rate_limiter limit({.rate = 3, .burst = 5});
  std::vector<duration> at;
  const time_point begin = current_time();
  for (int i = 0; i < 11; ++i) {
    co_await limit.acquire();
    at.push_back(current_time() - begin);
  }
  BOOST_TEST((at[4] == 0s));
  BOOST_TEST((at[5] == 333333334ns));
  BOOST_TEST((at[7] == 1s)); // nothing is lost by rounding
  BOOST_TEST((at[10] == 2s));
}

TROUPE_TEST_CASE(what_is_not_used_is_kept_up_to_the_burst) {
  rate_limiter limit({.rate = 10, .burst = 4});
  co_await limit.acquire(4);
  co_await sleep_for(200ms);
  BOOST_TEST(!limit.try_acquire(3));
  BOOST_TEST(limit.try_acquire(2));
  BOOST_TEST(!limit.try_acquire());
  co_await sleep_for(24h);
  BOOST_TEST(limit.try_acquire(4));
  BOOST_TEST(!limit.try_acquire());
}

TROUPE_TEST_CASE(small_wants_do_not_overtake_a_big_one) {
  rate_limiter limit({.rate = 1, .burst = 10});
  co_await limit.acquire(10);
  std::string order;
  co_await with_nursery([&](nursery& n) -> task<> {
    const auto take = [&](char name, std::size_t count) -> task<> {
      co_await limit.acquire(count);
      order += name;
    };
    n.start_soon(take, 'a', 8u);
    n.start_soon(take, 'b', 1u);
    co_await sleep_for(3s);
    BOOST_TEST(!limit.try_acquire()); // there are three, but others wait for them
  });
  BOOST_TEST(order == "ab");
}

TROUPE_TEST_CASE(p03_who_is_cancelled_has_taken_nothing_and_the_next_one_goes_on) {
  rate_limiter limit({.rate = 1, .burst = 10});
  co_await limit.acquire(10);
  const time_point begin = current_time();
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      BOOST_TEST(!co_await move_on_after(2s, [&]() { return limit.acquire(9); }));
    });
    n.start_soon([&]() -> task<> {
      co_await limit.acquire(3);
      BOOST_TEST((current_time() - begin == 3s));
    });
    co_return;
  });
}

TROUPE_TEST_CASE(wrong_numbers_are_refused_by_name) {
  BOOST_CHECK_THROW(rate_limiter({.rate = 0}), std::invalid_argument);
  BOOST_CHECK_THROW(rate_limiter({.period = 0s}), std::invalid_argument);
  BOOST_CHECK_THROW(rate_limiter({.period = -1s}), std::invalid_argument);
  BOOST_CHECK_THROW(rate_limiter({.burst = std::size_t(-1)}), std::invalid_argument);
  rate_limiter limit({.name = "lines", .rate = 2});
  BOOST_CHECK_THROW(static_cast<void>(limit.try_acquire(3)), std::invalid_argument);
  const auto refused = co_await as_outcome(limit.acquire(3));
  BOOST_TEST(describe(refused.error()) == "troupe: 'lines' never has 3 tokens, but 2 at most");
}

TROUPE_TEST_CASE(bytes_by_the_thousand_million_fit) {
  rate_limiter limit({.rate = 1'000'000'000, .burst = 4'000'000'000});
  const time_point begin = current_time();
  for (int i = 0; i < 8; ++i)
    co_await limit.acquire(1'000'000'000);
  BOOST_TEST((current_time() - begin == 4s));
}

TROUPE_TEST_CASE(tasks_of_other_loops_share_it, .loops = 2) {
  rate_limiter limit({.rate = 10, .burst = 1});
  std::atomic<int> taken{0};
  const time_point begin = current_time();
  co_await with_nursery([&](nursery& n) -> task<> {
    for (unsigned i = 0; i < 2; ++i)
      n.start_on(i, [&]() -> task<> {
        for (int k = 0; k < 10; ++k) {
          co_await limit.acquire();
          ++taken;
        }
      });
    co_return;
  });
  BOOST_TEST(taken == 20);
  BOOST_TEST((current_time() - begin == 1900ms));
}

TROUPE_TEST_CASE(ordinary_actors_ask_by_message) {
  rate_limiter limit({.rate = 1, .burst = 2});
  co_await with_nursery([&](nursery& n) -> task<> {
    const auto front = n.start_actor([&](mailbox& in) { return limit.serve(in); });
    std::vector<duration> at;
    const time_point begin = current_time();
    const auto finished = [&](duration d) { at.push_back(d); };
    const caf::actor asker = actor_system().spawn([&](caf::event_based_actor* self) {
      for (int i = 0; i < 4; ++i)
        self->request(front.address(), caf::infinite, take_tokens{}).then([=] {
          finished(current_time() - begin);
        });
    });
    monitor(asker);
    mailbox in = this_mailbox();
    co_await in.receive([](const caf::down_msg&) {});
    const std::vector<duration> expected{0s, 0s, 1s, 2s};
    BOOST_TEST((at == expected));

    const auto too_many = [&]() -> task<> {
      co_await request<void>(front.address(), 5s, take_tokens{9});
    };
    const auto refused = co_await as_outcome(too_many());
    BOOST_CHECK_THROW(std::rethrow_exception(refused.error()), actor_error);
    co_await request<void>(front.address(), 5s, take_tokens{}); // it serves on
    n.cancel();
  });
}

BOOST_AUTO_TEST_SUITE_END()
