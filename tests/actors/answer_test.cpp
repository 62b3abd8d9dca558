// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actor.hpp>
#include <troupe/answer.hpp>
#include <troupe/dead_letters.hpp>
#include <troupe/nursery.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/time.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <tuple>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

task<int> half_of(int x) {
  co_await checkpoint();
  if (x % 2 != 0)
    throw std::invalid_argument(std::to_string(x) + " is odd");
  co_return x / 2;
}

task<> serve_halves(mailbox& in) {
  co_await in.serve(
    concurrent{4}, [](int x) { return as_answer(half_of(x)); },
    [](const std::string& text) -> task<answer<>> {
      co_await checkpoint();
      const auto work = [](std::string t) -> task<> {
        co_await checkpoint();
        if (t == "late")
          throw timeout_error("too late");
      };
      co_return co_await as_answer(work(text));
    },
    [](int a, int b) {
      const auto both = [](int x, int y) -> task<std::tuple<int, int>> {
        co_await checkpoint();
        co_return std::tuple(y, x);
      };
      return as_answer(both(a, b));
    });
}

template <class T, class Question>
task<T> ask_for(caf::actor whom, Question question) {
  co_return co_await request<T>(std::move(whom), 5s, std::move(question));
}

} // namespace

BOOST_AUTO_TEST_SUITE(answers)

TROUPE_TEST_CASE(failure_reaches_the_one_who_asked_and_nobody_else) {
  co_await with_nursery([&](nursery& n) -> task<> {
    const auto halves = n.start_actor(serve_halves);
    const auto odd = co_await as_outcome(ask_for<int>(halves.address(), 3));
    BOOST_CHECK_THROW(std::rethrow_exception(odd.error()), actor_error);
    BOOST_TEST(describe(odd.error()).find("3 is odd") != std::string::npos);
    const auto late = co_await as_outcome(ask_for<void>(halves.address(), std::string("late")));
    BOOST_CHECK_THROW(std::rethrow_exception(late.error()), timeout_error);
    BOOST_TEST(co_await request<int>(halves.address(), 5s, 4) == 2);
    co_await request<void>(halves.address(), 5s, std::string("in time"));
    const auto pair = co_await request<std::tuple<int, int>>(halves.address(), 5s, 1, 2);
    BOOST_TEST((pair == std::tuple(2, 1)));
    n.cancel();
  });
}

TROUPE_TEST_CASE(failure_of_a_message_that_was_no_request_is_a_dead_letter, .check_leaks = false) {
  co_await with_nursery([&](nursery& n) -> task<> {
    const auto halves = n.start_actor(serve_halves);
    const auto before = dead_letter_count();
    send(halves.address(), 5);
    BOOST_TEST(co_await request<int>(halves.address(), 5s, 8) == 4);
    BOOST_TEST(dead_letter_count() == before + 1);
    n.cancel();
  });
}

BOOST_AUTO_TEST_SUITE_END()
