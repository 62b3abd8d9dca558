// SPDX-License-Identifier: BSD-3-Clause
// What no compiler sees: misuse that is refused by an error.

#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <utility>

using namespace troupe;
using troupe::testing::run_virtually;

namespace {

task<int> one() { co_return 1; }

} // namespace

BOOST_AUTO_TEST_SUITE(misuse)

BOOST_AUTO_TEST_CASE(task_that_was_awaited_is_not_awaited_again) {
  run_virtually([]() -> task<> {
    task<int> t = one();
    BOOST_TEST(co_await std::move(t) == 1);
    BOOST_CHECK_THROW(static_cast<void>(co_await std::move(t)), usage_error);
    BOOST_CHECK_THROW(static_cast<void>(co_await gather(std::move(t), one())), usage_error);
  });
}

BOOST_AUTO_TEST_CASE(handle_without_a_task_says_so) {
  run_virtually([]() -> task<> {
    const task_handle<int> none;
    BOOST_TEST(!none);
    BOOST_CHECK_THROW(static_cast<void>(co_await none), usage_error);
    BOOST_CHECK_THROW(static_cast<void>(none.done()), usage_error);
    BOOST_CHECK_THROW(static_cast<void>(none.cancelled()), usage_error);
    BOOST_CHECK_THROW(static_cast<void>(none.name()), usage_error);
    BOOST_CHECK_THROW(none.cancel(), usage_error);
  });
}

BOOST_AUTO_TEST_SUITE_END()
