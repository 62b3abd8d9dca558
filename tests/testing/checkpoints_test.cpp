// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/checkpoints.hpp>
#include <troupe/testing/test_failure.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::assert_checkpoints;
using troupe::testing::assert_no_checkpoints;
using troupe::testing::checkpoint_counter;
using troupe::testing::run_virtually;
using troupe::testing::test_failure;

namespace {

task<int> none() { co_return 1; }

task<int> some(int n) {
  for (int i = 0; i < n; ++i)
    co_await checkpoint();
  co_return n;
}

task<> fails_after(int n) {
  for (int i = 0; i < n; ++i)
    co_await checkpoint();
  throw std::runtime_error("as meant");
}

} // namespace

BOOST_AUTO_TEST_SUITE(checkpoint_assertions)

BOOST_AUTO_TEST_CASE(what_passes_checkpoints_passes_and_gives_its_result) {
  run_virtually([]() -> task<> {
    BOOST_TEST(co_await assert_checkpoints([] { return some(3); }) == 3);
    BOOST_TEST(co_await assert_no_checkpoints(none) == 1);
    co_await assert_no_checkpoints([]() -> task<> { co_return; });
    const auto moved =
      co_await assert_no_checkpoints([]() -> task<std::unique_ptr<int>> { co_return nullptr; });
    BOOST_TEST(!moved);
  });
}

BOOST_AUTO_TEST_CASE(what_does_not_is_a_failure) {
  run_virtually([]() -> task<> {
    BOOST_CHECK_THROW(co_await assert_checkpoints(none), test_failure);
    BOOST_CHECK_EXCEPTION(co_await assert_no_checkpoints([] { return some(2); }), test_failure,
                          [](const test_failure& e) {
                            return std::string(e.what())
                                   == "assert_no_checkpoints: there were 2 checkpoints";
                          });
  });
}

BOOST_AUTO_TEST_CASE(failures_pass_unless_a_checkpoint_came_before) {
  run_virtually([]() -> task<> {
    const auto at_once = [] { return fails_after(0); };
    const auto later = [] { return fails_after(1); };
    BOOST_CHECK_EXCEPTION(co_await assert_checkpoints(at_once), std::runtime_error,
                          [](const auto& e) { return std::string(e.what()) == "as meant"; });
    BOOST_CHECK_EXCEPTION(co_await assert_no_checkpoints(at_once), std::runtime_error,
                          [](const auto& e) { return std::string(e.what()) == "as meant"; });
    BOOST_CHECK_THROW(co_await assert_no_checkpoints(later), test_failure);
  });
}

BOOST_AUTO_TEST_CASE(operations_that_complete_at_once_count) {
  run_virtually([]() -> task<> {
    mutex m;
    event e;
    e.set();
    co_await assert_checkpoints([&]() -> task<> { const auto lock = co_await m.lock(); });
    co_await assert_checkpoints([&]() -> task<> { co_await e.wait(); });
    co_await assert_checkpoints([]() -> task<> { co_await sleep_for(0s); });
    co_await assert_no_checkpoints(
      []() -> task<> { co_await with_cancel_scope([](cancel_scope&) -> task<> { co_return; }); });
  });
}

BOOST_AUTO_TEST_CASE(checkpoints_of_children_are_theirs) {
  run_virtually([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      const checkpoint_counter mine;
      auto child = n.start_soon(some, 5);
      BOOST_TEST(mine.count() == 0U);
      BOOST_TEST(co_await child == 5);
      BOOST_TEST(mine.count() == 1U); // the join
    });
  });
}

BOOST_AUTO_TEST_CASE(counters_nest) {
  run_virtually([]() -> task<> {
    const checkpoint_counter outer;
    co_await some(1);
    {
      const checkpoint_counter inner;
      co_await some(2);
      BOOST_TEST(inner.count() == 2U);
    }
    co_await some(4);
    BOOST_TEST(outer.count() == 7U);
  });
}

BOOST_AUTO_TEST_CASE(cancelled_inside_it_is_unwound_and_forgotten) {
  run_virtually([]() -> task<> {
    const checkpoint_counter outer;
    co_await move_on_after(1s, []() -> task<> {
      co_await assert_checkpoints([]() -> task<> { co_await sleep_forever(); });
    });
    co_await some(1);
    BOOST_TEST(outer.count() == 2U);
  });
}

BOOST_AUTO_TEST_CASE(outside_of_a_task_there_are_none_to_count) {
  BOOST_CHECK_THROW(checkpoint_counter(), usage_error);
}

BOOST_AUTO_TEST_SUITE_END()
