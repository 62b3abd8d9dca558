// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/expect_failure.hpp>
#include <troupe/testing/test_failure.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct first : std::runtime_error {
  using runtime_error::runtime_error;
};
struct second : first {
  using first::first;
};

template <class... Es>
std::exception_ptr group_of(Es... errors) {
  std::vector<exception_group::failure> all;
  (all.push_back({std::make_exception_ptr(errors), "worker"}), ...);
  return std::make_exception_ptr(exception_group(std::move(all)));
}

std::exception_ptr outer(std::exception_ptr inner) {
  std::vector<exception_group::failure> all;
  all.push_back({std::move(inner), "inner"});
  return std::make_exception_ptr(exception_group(std::move(all)));
}

task<> fail_twice() {
  co_await with_nursery([](nursery& n) -> task<> {
    n.start_soon([]() -> task<> {
      throw first("one");
      co_return;
    });
    n.start_soon([]() -> task<> {
      throw second("two");
      co_return;
    });
    co_return;
  });
}

} // namespace

BOOST_AUTO_TEST_SUITE(expected_failures)

BOOST_AUTO_TEST_CASE(a_single_failure_has_type_and_message) {
  const auto e = std::make_exception_ptr(second("it broke"));
  BOOST_TEST(failure().matches(e));
  BOOST_TEST(failure<first>().matches(e));
  BOOST_TEST(failure<first>("brok").matches(e));
  BOOST_TEST(!failure<first>("other").matches(e));
  BOOST_TEST(!failure<std::bad_alloc>().matches(e));
  BOOST_TEST(!failure<first>().matches(nullptr));
  BOOST_TEST(failure<int>().matches(std::make_exception_ptr(3)));
  BOOST_TEST(!failure().matches(group_of(first("x")))); // a group is no single failure
  BOOST_TEST(failure<exception_group>().matches(group_of(first("x"))));
}

BOOST_AUTO_TEST_CASE(a_group_has_exactly_these_in_any_order) {
  const auto e = group_of(first("a"), second("b"), std::logic_error("c"));
  BOOST_TEST(any_group().matches(e));
  BOOST_TEST(any_group(3).matches(e));
  BOOST_TEST(!any_group(2).matches(e));
  BOOST_TEST(!any_group().matches(std::make_exception_ptr(first("a"))));
  BOOST_TEST(
    failure_group(failure<std::logic_error>(), failure<second>(), failure<first>()).matches(e));
  BOOST_TEST(!failure_group(failure<second>(), failure<first>()).matches(e));
  BOOST_TEST(
    !failure_group(failure<second>(), failure<second>(), failure<std::logic_error>()).matches(e));
  // the greedy choice for the first would take what only the second can have
  BOOST_TEST(failure_group(failure<first>(), failure<first>("a"), failure()).matches(e));
  BOOST_TEST(failure_group(failure(), failure<second>(), failure<first>()).matches(e));
}

BOOST_AUTO_TEST_CASE(groups_nest) {
  const auto e = outer(group_of(first("a"), second("b")));
  BOOST_TEST(failure_group(failure_group(failure<first>("a"), failure<second>())).matches(e));
  BOOST_TEST(failure_group(any_group(2)).matches(e));
  BOOST_TEST(!failure_group(failure<first>()).matches(e));
}

BOOST_AUTO_TEST_CASE(a_coroutine_fails_as_expected) {
  run_virtually([]() -> task<> {
    const auto group = co_await expect_exception_group<first, second>(fail_twice);
    BOOST_TEST(group.size() == 2U);
    BOOST_TEST(group.find<second>()->what() == "two");
    co_await expect_exception_group(fail_twice);
    co_await expect_failure(failure_group(failure<first>("one"), failure<first>("two")),
                            fail_twice);
  });
}

BOOST_AUTO_TEST_CASE(a_function_fails_as_expected) {
  const auto call = [] { run_virtually(fail_twice); };
  BOOST_TEST((expect_exception_group<second, first>(call).size() == 2U));
  BOOST_TEST((expect_failure(any_group(2), call) != nullptr));
}

BOOST_AUTO_TEST_CASE(what_is_not_expected_is_shown) {
  BOOST_CHECK_EXCEPTION(
    expect_failure(failure_group(failure<first>("one"), failure<std::logic_error>()),
                   [] { run_virtually(fail_twice); }),
    test_failure, [](const test_failure& e) {
      const std::string text = e.what();
      BOOST_TEST_MESSAGE(text);
      return text.find("expected a group of 2:") == 0
             && text.find("first with 'one', std::logic_error") != text.npos
             && text.find("two") != text.npos;
    });
  BOOST_CHECK_EXCEPTION(expect_exception_group<first>([] {}), test_failure,
                        [](const test_failure& e) {
                          return std::string(e.what()).find("nothing failed") != std::string::npos;
                        });
  run_virtually([]() -> task<> {
    BOOST_CHECK_THROW(co_await expect_exception_group<first>([]() -> task<> { co_return; }),
                      test_failure);
  });
}

BOOST_AUTO_TEST_SUITE_END()
