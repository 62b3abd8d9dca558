// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actor.hpp>
#include <troupe/actors/circuit_breaker.hpp>
#include <troupe/answer.hpp>
#include <troupe/cancel_scope.hpp>
#include <troupe/event.hpp>
#include <troupe/nursery.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/time.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

task<int> good() {
  co_await checkpoint();
  co_return 7;
}

task<int> bad() {
  co_await checkpoint();
  throw timeout_error("no answer");
}

task<> fail(circuit_breaker& breaker, int times) {
  for (int i = 0; i < times; ++i) {
    const auto failed = co_await as_outcome(breaker.call(bad));
    BOOST_CHECK_THROW(std::rethrow_exception(failed.error()), timeout_error);
  }
}

task<> is_refused(circuit_breaker& breaker) {
  const auto refused = co_await as_outcome(breaker.call(good));
  BOOST_REQUIRE(refused.failed());
  BOOST_CHECK_THROW(std::rethrow_exception(refused.error()), circuit_open);
}

} // namespace

BOOST_AUTO_TEST_SUITE(circuit_breakers)

TROUPE_TEST_CASE(failures_in_a_row_open_it_and_a_probe_closes_it) {
  std::vector<circuit_state> changes;
  circuit_breaker breaker({.name = "database",
                           .failures = 3,
                           .open_for = 10s,
                           .jitter = 0,
                           .on_change = [&](circuit_state s) { changes.push_back(s); }});
  co_await fail(breaker, 2);
  BOOST_TEST(co_await breaker.call(good) == 7); // the count begins anew
  co_await fail(breaker, 3);
  BOOST_CHECK(breaker.state() == circuit_state::open);
  const auto refused = co_await as_outcome(breaker.call(good));
  BOOST_TEST(describe(refused.error())
             == "troupe: circuit breaker 'database' is open for 10.000000 s "
                "more; the last failure: no answer");
  co_await sleep_for(10s);
  BOOST_CHECK(breaker.state() == circuit_state::half_open);
  BOOST_TEST(co_await breaker.call(good) == 7);
  BOOST_CHECK(breaker.state() == circuit_state::closed);
  const std::vector<circuit_state> expected{circuit_state::open, circuit_state::half_open,
                                            circuit_state::closed};
  BOOST_CHECK(changes == expected);
  BOOST_TEST(breaker.statistics().failed == 5u);
  BOOST_TEST(breaker.statistics().succeeded == 2u);
  BOOST_TEST(breaker.statistics().refused == 1u);
  BOOST_TEST(breaker.statistics().opened == 1u);
}

TROUPE_TEST_CASE(failed_probe_opens_it_again) {
  circuit_breaker breaker({.failures = 1, .open_for = 10s, .jitter = 0});
  co_await fail(breaker, 1);
  co_await sleep_for(10s);
  co_await fail(breaker, 1);
  co_await is_refused(breaker);
  co_await sleep_for(9s);
  co_await is_refused(breaker);
  co_await sleep_for(1s);
  BOOST_TEST(co_await breaker.call(good) == 7);
}

TROUPE_TEST_CASE(so_many_probes_go_through_at_a_time_and_are_needed) {
  circuit_breaker breaker({.failures = 1, .open_for = 10s, .jitter = 0, .probes = 2});
  co_await fail(breaker, 1);
  co_await sleep_for(10s);
  event answer;
  const auto slow = [&]() -> task<int> {
    co_await answer.wait();
    co_return 1;
  };
  co_await with_nursery([&](nursery& n) -> task<> {
    for (int i = 0; i < 2; ++i)
      n.start_soon([&]() -> task<> { static_cast<void>(co_await breaker.call(slow)); });
    co_await sleep_for(1s);
    co_await is_refused(breaker);
    BOOST_CHECK(breaker.state() == circuit_state::half_open);
    answer.set();
  });
  BOOST_CHECK(breaker.state() == circuit_state::closed);
}

TROUPE_TEST_CASE(p03_cancelled_probe_makes_room_for_another) {
  circuit_breaker breaker({.failures = 1, .open_for = 10s, .jitter = 0});
  co_await fail(breaker, 1);
  co_await sleep_for(10s);
  BOOST_TEST(!co_await move_on_after(
    1s, [&]() -> task<> { co_await breaker.call([]() -> task<> { co_await sleep_forever(); }); }));
  BOOST_CHECK(breaker.state() == circuit_state::half_open);
  BOOST_TEST(co_await breaker.call(good) == 7);
  BOOST_CHECK(breaker.state() == circuit_state::closed);
}

TROUPE_TEST_CASE(rate_of_failures_within_the_window_opens_it) {
  circuit_breaker breaker(
    {.failures = 0, .failure_rate = 0.5, .window = 10s, .least_calls = 4, .jitter = 0});
  co_await fail(breaker, 3); // too few to judge
  co_await sleep_for(11s);   // and forgotten
  for (int i = 0; i < 3; ++i)
    static_cast<void>(co_await breaker.call(good));
  co_await fail(breaker, 2); // two of five
  BOOST_CHECK(breaker.state() == circuit_state::closed);
  co_await fail(breaker, 1);
  BOOST_CHECK(breaker.state() == circuit_state::open);
}

TROUPE_TEST_CASE(what_does_not_count_says_that_it_works) {
  circuit_breaker breaker({.failures = 2, .counts = is_transient});
  const auto mistake = []() -> task<> {
    co_await checkpoint();
    throw std::invalid_argument("no such table");
  };
  co_await fail(breaker, 1);
  for (int i = 0; i < 5; ++i)
    BOOST_TEST((co_await as_outcome(breaker.call(mistake))).failed());
  co_await fail(breaker, 1);
  BOOST_CHECK(breaker.state() == circuit_state::closed);
  BOOST_TEST(breaker.statistics().failed == 2u);
}

TROUPE_TEST_CASE(calls_from_before_a_change_have_no_say) {
  circuit_breaker breaker({.failures = 1, .open_for = 10s, .jitter = 0});
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      const auto late = []() -> task<> {
        co_await sleep_for(15s);
        throw timeout_error("much too late");
      };
      BOOST_TEST((co_await as_outcome(breaker.call(late))).failed());
    });
    co_await checkpoint();
    co_await fail(breaker, 1);
    co_await sleep_for(12s);
    BOOST_TEST(co_await breaker.call(good) == 7);
    co_await sleep_for(10s);
    BOOST_CHECK(breaker.state() == circuit_state::closed);
  });
}

TROUPE_TEST_CASE(jitter_leaves_out_a_part_of_the_time) {
  bool differ = false;
  duration before{};
  for (int i = 0; i < 20; ++i) {
    circuit_breaker breaker({.failures = 1, .open_for = 100s, .jitter = 0.5});
    co_await fail(breaker, 1);
    duration left{};
    try {
      static_cast<void>(co_await breaker.call(good));
    } catch (const circuit_open& e) {
      left = e.retry_after();
    }
    BOOST_TEST((left > 49s && left <= 100s));
    differ = differ || (i > 0 && left != before);
    before = left;
  }
  BOOST_TEST(differ);
}

TROUPE_TEST_CASE(by_hand_and_with_nonsense) {
  circuit_breaker breaker({});
  breaker.open();
  co_await is_refused(breaker);
  breaker.close();
  BOOST_TEST(co_await breaker.call(good) == 7);
  BOOST_CHECK_THROW(circuit_breaker({.failures = 0}), std::invalid_argument);
  BOOST_CHECK_THROW(circuit_breaker({.jitter = 2}), std::invalid_argument);
  BOOST_CHECK_THROW(circuit_breaker({.probes = 0}), std::invalid_argument);
}

TROUPE_TEST_CASE(actor_behind_it_answers_who_is_refused) {
  circuit_breaker breaker({.name = "halves", .failures = 1});
  const auto halve = [&](int x) -> task<int> {
    co_return co_await breaker.call([x]() mutable -> task<int> {
      co_await checkpoint();
      if (x % 2 != 0)
        throw std::invalid_argument("odd");
      co_return x / 2;
    });
  };
  co_await with_nursery([&](nursery& n) -> task<> {
    const auto front = n.start_actor([&](mailbox& in) -> task<> {
      co_await in.serve([&](int x) { return as_answer(halve(x)); });
    });
    const auto ask_for = [&](int x) -> task<int> {
      co_return co_await request<int>(front.address(), 5s, x);
    };
    BOOST_TEST(co_await ask_for(4) == 2);
    BOOST_TEST((co_await as_outcome(ask_for(3))).failed());
    const auto refused = co_await as_outcome(ask_for(4));
    BOOST_TEST(describe(refused.error()).find("'halves' is open") != std::string::npos);
    n.cancel();
  });
}

BOOST_AUTO_TEST_SUITE_END()
