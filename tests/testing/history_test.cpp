// SPDX-License-Identifier: BSD-3-Clause
// Histories that are linearizable and histories that are not, eventually and always.
#include <troupe/testing/eventually.hpp>
#include <troupe/testing/explore.hpp>
#include <troupe/testing/history.hpp>
#include <troupe/testing/simulation.hpp>
#include <troupe/testing/test_failure.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Of a register: a value writes, nothing reads.
using register_input = std::optional<int>;
using register_history = history<register_input, int>;

const specification<int, register_input, int> a_register{
  0, [](int& state, const register_input& in, const int* out) {
    if (!in)
      return !out || *out == state;
    state = *in;
    return true;
  }};

/// Of a queue: a value is pushed, 0 takes one, and gives 0 if there is none.
const specification<std::deque<int>, int, int> a_queue{
  {}, [](std::deque<int>& state, int in, const int* out) {
    if (in != 0) {
      state.push_back(in);
      return true;
    }
    int first = 0;
    if (!state.empty()) {
      first = state.front();
      state.pop_front();
    }
    return !out || *out == first;
  }};

/// A register which two tasks write and read, each at a time; a careless one forgets
/// what it holds for a moment while it is written.
task<> use_register(bool careless) {
  int value = 0;
  register_history h;
  const auto use = [&](unsigned me) -> task<> {
    for (int i = 1; i <= 2; ++i) {
      const int mine = static_cast<int>(me) * 10 + i;
      const auto write = h.called("task " + std::to_string(me), mine);
      if (careless)
        value = 0;
      co_await checkpoint();
      value = mine;
      h.returned(write, 0);
      co_await checkpoint();
      const auto read = h.called("task " + std::to_string(me), {});
      h.returned(read, value);
    }
  };
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_on(0, use, 1U);
    n.start_on(1, use, 2U);
    co_return;
  });
  if (!is_linearizable(h, a_register))
    throw test_failure("not linearizable");
}

} // namespace

BOOST_AUTO_TEST_SUITE(histories)

BOOST_AUTO_TEST_CASE(a_read_sees_the_last_write_or_one_that_overlaps) {
  register_history h;
  const auto write = h.called("a", 1);
  const auto early = h.called("b", {});
  h.returned(early, 0);
  const auto late = h.called("b", {});
  h.returned(late, 1);
  h.returned(write, 0);
  BOOST_TEST(is_linearizable(h, a_register));
  const auto back = h.called("c", {});
  h.returned(back, 0); // after the write is over
  BOOST_TEST(!is_linearizable(h, a_register));
}

BOOST_AUTO_TEST_CASE(a_value_that_was_seen_cannot_go_away_again) {
  register_history h;
  const auto write = h.called("a", 1);
  const auto early = h.called("b", {});
  h.returned(early, 1);
  const auto late = h.called("b", {});
  h.returned(late, 0); // though the write is still going on
  h.returned(write, 0);
  BOOST_TEST(!is_linearizable(h, a_register));
}

BOOST_AUTO_TEST_CASE(what_has_not_returned_may_have_happened_or_not) {
  for (const int seen : {0, 1, 2}) {
    register_history h;
    static_cast<void>(h.called("a", 1)); // lost
    const auto read = h.called("b", {});
    h.returned(read, seen);
    BOOST_TEST(is_linearizable(h, a_register) == (seen != 2));
  }
}

BOOST_AUTO_TEST_CASE(a_queue_gives_each_value_once_and_in_order) {
  const auto taken = [](int first, int second) {
    history<int, int> h;
    h.returned(h.called("a", 1), 0);
    const auto two = h.called("a", 2);
    const auto x = h.called("b", 0);
    const auto y = h.called("c", 0);
    h.returned(x, first);
    h.returned(y, second);
    h.returned(two, 0);
    return is_linearizable(h, a_queue);
  };
  BOOST_TEST(taken(1, 2));
  BOOST_TEST(taken(2, 1)); // they overlap
  BOOST_TEST(taken(1, 0));
  BOOST_TEST(!taken(1, 1));
  BOOST_TEST(!taken(0, 2));
  BOOST_TEST(!taken(0, 0));
}

BOOST_AUTO_TEST_CASE(explore_finds_a_register_that_is_not_linearizable) {
  explore([]() { return use_register(false); }, 200).verify();
  const exploration e = explore([]() { return use_register(true); }, 200);
  BOOST_TEST_REQUIRE(e.failure.has_value());
  BOOST_TEST(e.failure->why() == "not linearizable");
  BOOST_TEST_MESSAGE("a careless register: run " << e.runs);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(conditions)

BOOST_AUTO_TEST_CASE(eventually_returns_in_the_step_in_which_it_comes_true) {
  const auto r = simulate(1, []() -> task<duration> {
    const auto begin = current_time();
    bool ready = false;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_on(1, [&]() -> task<> {
        co_await sleep_for(3s);
        ready = true;
      });
      co_await eventually(
        "ready", [&] { return ready; }, 10s);
    });
    co_return current_time() - begin;
  });
  BOOST_TEST(r.why() == "");
  BOOST_TEST((*r.result == 3s));
}

BOOST_AUTO_TEST_CASE(eventually_fails_when_it_takes_too_long) {
  const auto late = []() -> task<> {
    co_await eventually(
      "peace", [] { return false; }, 2s);
  };
  BOOST_TEST(simulate(1, late).why() == "troupe: 'peace' has not come true within 2 s");
  BOOST_CHECK_THROW(run_virtually(late), test_failure);
}

BOOST_AUTO_TEST_CASE(always_sees_the_one_step_in_which_it_does_not_hold) {
  const auto blink = [](bool at_all) {
    return [at_all]() -> task<> {
      int balance = 0;
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([&]() -> task<> {
          co_await sleep_for(1s);
          balance = at_all ? -1 : 0;
          co_await checkpoint();
          balance = 0;
        });
        co_await always(
          "no debts", [&] { return balance >= 0; }, 2s);
      });
    };
  };
  BOOST_TEST(simulate(1, blink(false)).why() == "");
  BOOST_TEST(simulate(1, blink(true)).why()
             == "troupe: 'no debts' was true for 1 s only, not for 2 s");
}

BOOST_AUTO_TEST_SUITE_END()
