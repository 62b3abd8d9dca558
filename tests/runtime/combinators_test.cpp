// SPDX-License-Identifier: BSD-3-Clause
#include "support/at_end.hpp"

#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;
using troupe_test::counts_end;

namespace {

task<int> after(duration d, int value) {
  co_await sleep_for(d);
  co_return value;
}

task<> pause(duration d) { co_await sleep_for(d); }

task<int> fails_after(duration d) {
  co_await sleep_for(d);
  throw std::runtime_error("broken");
}

/// Never ends by itself; takes a second to be cancelled.
task<int> slow_to_cancel(int& ended) {
  counts_end guard{ended};
  const auto body = []() -> task<> { co_await sleep_forever(); };
  const auto cleanup = []() -> task<> { co_await sleep_for(1s); };
  co_await with_cleanup(body, cleanup);
  co_return 0;
}

std::vector<task<int>> three_tasks() {
  std::vector<task<int>> tasks;
  tasks.push_back(after(3s, 3));
  tasks.push_back(after(1s, 1));
  tasks.push_back(after(2s, 2));
  return tasks;
}

std::vector<task_handle<int>> three_children(nursery& n) {
  return {n.start_soon(after, 3s, 3), n.start_soon(after, 1s, 1), n.start_soon(after, 2s, 2)};
}

} // namespace

BOOST_AUTO_TEST_SUITE(gather_suite)

BOOST_AUTO_TEST_CASE(gives_results_in_the_order_of_the_arguments) {
  run_virtually([]() -> task<> {
    const time_point start = current_time();
    auto [number, nothing, pointer] =
      co_await gather(after(2s, 7), pause(3s),
                      []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(8); }());
    static_assert(std::is_same_v<decltype(nothing), std::monostate>);
    BOOST_TEST(number == 7);
    BOOST_TEST(*pointer == 8);
    BOOST_TEST((current_time() - start == 3s));

    const auto results = co_await gather(three_tasks());
    BOOST_TEST((results == std::vector{3, 1, 2}));
    BOOST_TEST((co_await gather(std::vector<task<int>>())).empty());
    std::vector<task<>> pauses;
    pauses.push_back(pause(1s));
    co_await gather(std::move(pauses));
  });
}

BOOST_AUTO_TEST_CASE(cancels_and_awaits_the_others_when_one_fails) {
  run_virtually([]() -> task<> {
    int ended = 0;
    const time_point start = current_time();
    BOOST_CHECK_THROW(
      static_cast<void>(co_await gather(slow_to_cancel(ended), fails_after(1s), after(9s, 1))),
      std::runtime_error);
    BOOST_TEST(ended == 1);
    BOOST_TEST((current_time() - start == 2s));
  });
}

BOOST_AUTO_TEST_CASE(throws_several_failures_as_a_group_with_the_names_of_the_functions) {
  run_virtually([]() -> task<> {
    try {
      static_cast<void>(co_await gather(fails_after(1s), fails_after(1s)));
      BOOST_ERROR("did not throw");
    } catch (const exception_group& e) {
      BOOST_TEST(e.size() == 2U);
      BOOST_TEST(e.failures()[0].task.find("fails_after") != std::string::npos);
    }
  });
}

BOOST_AUTO_TEST_CASE(cancels_all_when_cancelled_before_or_during) {
  run_virtually([]() -> task<> {
    for (const bool before : {true, false}) {
      int ended = 0;
      bool came_back = false;
      const bool finished = co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
        if (before)
          s.cancel();
        else
          s.deadline(current_time() + 1s);
        static_cast<void>(co_await gather(slow_to_cancel(ended), slow_to_cancel(ended)));
        came_back = true;
      });
      BOOST_TEST(!finished);
      BOOST_TEST(!came_back);
      BOOST_TEST(ended == 2);
    }
  });
}

BOOST_AUTO_TEST_CASE(tasks_that_are_never_awaited_are_destroyed) {
  run_virtually([]() -> task<> {
    auto watched = std::make_shared<int>(1);
    const std::weak_ptr<int> look = watched;
    const auto keep = [](std::shared_ptr<int> p) -> task<int> { co_return *p; };
    {
      auto unused = gather(keep(std::move(watched)), after(1s, 1));
      BOOST_TEST(!look.expired());
    }
    BOOST_TEST(look.expired());
    co_return;
  });
}

BOOST_AUTO_TEST_CASE(waits_for_handles_and_leaves_their_tasks_alone) {
  run_virtually([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      auto child = n.start_soon(after, 5s, 5);
      BOOST_CHECK_THROW(static_cast<void>(co_await gather(child, fails_after(1s))),
                        std::runtime_error);
      BOOST_TEST(!child.done());
      auto [a, b] = co_await gather(child, child);
      BOOST_TEST(a == 5);
      BOOST_TEST(b == 5);
    });
  });
}

BOOST_AUTO_TEST_CASE(settled_gives_every_outcome) {
  run_virtually([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      auto child = n.start_soon(after, 5s, 5);
      child.cancel();
      auto [value, nothing, failure, odd, cancelled] = co_await gather_settled(
        after(2s, 2), pause(1s), fails_after(1s),
        []() -> task<> {
          throw 42;
          co_return;
        }(),
        child);
      BOOST_TEST(value.value() == 2);
      BOOST_TEST(nothing.has_value());
      BOOST_TEST(failure.failed());
      BOOST_CHECK_THROW(static_cast<void>(failure.value()), std::runtime_error);
      BOOST_TEST(odd.failed());
      BOOST_TEST(cancelled.cancelled());
      BOOST_TEST(!cancelled.failed());
      BOOST_CHECK_THROW(static_cast<void>(cancelled.value()), task_cancelled);

      std::vector<task<int>> tasks = three_tasks();
      tasks.push_back(fails_after(1s));
      const auto all = co_await gather_settled(std::move(tasks));
      BOOST_TEST(all.size() == 4U);
      BOOST_TEST(std::ranges::count_if(all, &outcome<int>::has_value) == 3);
    });
  });
}

BOOST_AUTO_TEST_CASE(settled_is_cancelled_as_a_whole) {
  run_virtually([]() -> task<> {
    int ended = 0;
    const bool finished = co_await move_on_after(1s, [&]() -> task<> {
      static_cast<void>(co_await gather_settled(slow_to_cancel(ended), after(1ms, 1)));
      BOOST_ERROR("came back");
    });
    BOOST_TEST(!finished);
    BOOST_TEST(ended == 1);
  });
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(race_suite)

BOOST_AUTO_TEST_CASE(gives_the_first_and_cancels_and_awaits_the_others) {
  run_virtually([]() -> task<> {
    int ended = 0;
    const time_point start = current_time();
    auto first = co_await race(slow_to_cancel(ended), after(2s, 2), pause(1s));
    BOOST_TEST(first.index() == 2U);
    BOOST_TEST(ended == 1);
    BOOST_TEST((current_time() - start == 2s));

    const auto winner = co_await race(three_tasks());
    BOOST_TEST(winner.index == 1U);
    BOOST_TEST(winner.value == 1);
  });
}

BOOST_AUTO_TEST_CASE(the_first_of_two_that_end_at_once_wins) {
  run_virtually([]() -> task<> {
    auto first = co_await race(after(1s, 1), after(1s, 2));
    BOOST_TEST(first.index() == 0U);
  });
}

BOOST_AUTO_TEST_CASE(throws_when_the_first_fails) {
  run_virtually([]() -> task<> {
    int ended = 0;
    BOOST_CHECK_THROW(static_cast<void>(co_await race(slow_to_cancel(ended), fails_after(1s))),
                      std::runtime_error);
    BOOST_TEST(ended == 1);
    BOOST_CHECK_THROW(static_cast<void>(co_await race(std::vector<task<int>>())), usage_error);
  });
}

BOOST_AUTO_TEST_CASE(cancels_all_when_cancelled_before_or_during) {
  run_virtually([]() -> task<> {
    for (const bool before : {true, false}) {
      int ended = 0;
      const bool finished = co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
        if (before)
          s.cancel();
        else
          s.deadline(current_time() + 1s);
        static_cast<void>(co_await race(slow_to_cancel(ended), slow_to_cancel(ended)));
        BOOST_ERROR("came back");
      });
      BOOST_TEST(!finished);
      BOOST_TEST(ended == 2);
    }
  });
}

BOOST_AUTO_TEST_CASE(a_handle_that_loses_goes_on) {
  run_virtually([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      auto child = n.start_soon(after, 5s, 5);
      auto first = co_await race(child, after(1s, 1));
      BOOST_TEST(first.index() == 1U);
      BOOST_TEST((co_await child) == 5);
    });
  });
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(as_completed_suite)

BOOST_AUTO_TEST_CASE(gives_tasks_in_the_order_in_which_they_end) {
  run_virtually([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      std::vector<int> order;
      as_completed done(three_children(n));
      BOOST_TEST(done.left() == 3U);
      while (auto h = co_await done.next())
        order.push_back(co_await *h);
      BOOST_TEST((order == std::vector{1, 2, 3}));
      BOOST_TEST(!(co_await done.next()));
    });
  });
}

BOOST_AUTO_TEST_CASE(throws_when_the_limit_is_over_and_keeps_what_comes_later) {
  run_virtually([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      as_completed done(three_children(n), 1500ms);
      BOOST_TEST((co_await *co_await done.next()) == 1);
      BOOST_CHECK_THROW(static_cast<void>(co_await done.next()), timeout_error);
      co_await sleep_for(1s);
      BOOST_TEST((co_await *co_await done.next()) == 2);
    });
  });
}

BOOST_AUTO_TEST_CASE(a_cancelled_next_loses_nothing) {
  run_virtually([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      as_completed done(three_children(n));
      const auto take = [&]() -> task<> {
        static_cast<void>(co_await done.next());
        BOOST_ERROR("came back");
      };
      BOOST_TEST(!(co_await move_on_after(500ms, take)));
      co_await sleep_for(1s); // one is there
      const bool finished = co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
        s.cancel();
        co_await take();
      });
      BOOST_TEST(!finished);
      BOOST_TEST(done.left() == 3U);
      BOOST_TEST((co_await *co_await done.next()) == 1);
    });
  });
}

BOOST_AUTO_TEST_CASE(what_is_on_its_way_when_the_cancellation_comes_is_given) {
  run_virtually([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      as_completed done(std::vector{n.start_soon(after, 1s, 1)});
      int got = 0;
      const bool finished = co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
        n.start_soon([&]() -> task<> {
          co_await sleep_for(1s); // fires behind the child's
          s.cancel();
        });
        const auto h = co_await done.next();
        BOOST_TEST(is_cancelled());
        got = h->done() ? 1 : 0;
        co_await checkpoint();
      });
      BOOST_TEST(!finished);
      BOOST_TEST(got == 1);
      BOOST_TEST(done.left() == 0U);
    });
  });
}

BOOST_AUTO_TEST_CASE(may_be_left_while_tasks_run) {
  run_virtually([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      as_completed done(three_children(n));
      BOOST_TEST((co_await *co_await done.next()) == 1);
    });
  });
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(wait_suite)

BOOST_AUTO_TEST_CASE(gives_done_and_pending_and_cancels_none) {
  run_virtually([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      const auto children = three_children(n);
      auto found = co_await wait(children, wait_until::first_completed);
      BOOST_TEST((found.done == std::vector{children[1]}));
      BOOST_TEST((found.pending == std::vector{children[0], children[2]}));
      found = co_await wait(children, wait_until::all_completed, 1500ms);
      BOOST_TEST(found.done.size() == 2U);
      found = co_await wait(children, wait_until::first_exception);
      BOOST_TEST(found.done.size() == 3U);
      BOOST_TEST((co_await children[0]) == 3);
      found = co_await wait(std::vector<task_handle<int>>());
      BOOST_TEST(found.done.empty());
      found = co_await wait(children, wait_until::all_completed, 0s);
      BOOST_TEST(found.done.size() == 3U);
    });
  });
}

BOOST_AUTO_TEST_CASE(first_exception_is_not_a_cancellation) {
  run_virtually([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      n.on_error<std::runtime_error>([](const std::runtime_error&) {});
      std::vector children{n.start_soon(after, 9s, 9), n.start_soon(after, 8s, 8),
                           n.start_soon(fails_after, 2s)};
      children[1].cancel();
      const auto found = co_await wait(children, wait_until::first_exception);
      BOOST_TEST(found.done.size() == 2U);
      BOOST_TEST((found.pending == std::vector{children[0]}));
    });
  });
}

BOOST_AUTO_TEST_CASE(is_cancelled_before_and_during_and_leaves_the_tasks_alone) {
  run_virtually([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      const auto children = three_children(n);
      for (const bool before : {true, false}) {
        const bool finished = co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
          if (before)
            s.cancel();
          else
            s.deadline(current_time() + 100ms);
          static_cast<void>(co_await wait(children));
          BOOST_ERROR("came back");
        });
        BOOST_TEST(!finished);
      }
      const auto results = co_await gather(children);
      BOOST_TEST((results == std::vector{3, 1, 2}));
    });
  });
}

BOOST_AUTO_TEST_CASE(wait_for_gives_the_result_or_throws) {
  run_virtually([]() -> task<> {
    int ended = 0;
    BOOST_TEST((co_await wait_for(after(1s, 1), 2s)) == 1);
    auto [fast, slow] =
      co_await gather_settled(wait_for(after(1s, 1), 2s), wait_for(after(3s, 1), 2s));
    BOOST_TEST(fast.has_value());
    BOOST_TEST(slow.failed());
    co_await wait_for(pause(1s), 2s);
    BOOST_CHECK_THROW(static_cast<void>(co_await wait_for(slow_to_cancel(ended), 2s)),
                      timeout_error);
    BOOST_TEST(ended == 1);
    BOOST_CHECK_THROW(static_cast<void>(co_await wait_for(fails_after(1s), 2s)),
                      std::runtime_error);
  });
}

BOOST_AUTO_TEST_CASE(wait_for_cancels_a_child_whose_time_is_over) {
  run_virtually([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      int ended = 0;
      const time_point start = current_time();
      auto child = n.start_soon(slow_to_cancel, std::ref(ended));
      BOOST_CHECK_THROW(static_cast<void>(co_await wait_for(child, 2s)), timeout_error);
      BOOST_TEST(child.cancelled());
      BOOST_TEST((current_time() - start == 3s));

      auto stubborn = n.start_soon([]() -> task<int> {
        const auto body = []() -> task<int> { co_return co_await after(5s, 5); };
        co_return co_await shielded(body);
      });
      BOOST_TEST((co_await wait_for(stubborn, 1s)) == 5);
      BOOST_TEST((co_await wait_for(stubborn, 1s)) == 5);
    });
  });
}

BOOST_AUTO_TEST_SUITE_END()
