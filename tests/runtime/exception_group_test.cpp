// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using troupe::testing::run_virtually;

namespace {

template <class E>
exception_group::failure failure(std::string task, E error) {
  return {std::make_exception_ptr(std::move(error)), std::move(task)};
}

struct odd {};

exception_group sample() {
  exception_group inner({failure("b", std::domain_error("two")), failure("c", 3)});
  return exception_group(
    {failure("a", std::runtime_error("one")), failure("bc", inner), failure("d", odd{})});
}

} // namespace

BOOST_AUTO_TEST_SUITE(exception_group_suite)

BOOST_AUTO_TEST_CASE(says_who_failed_with_what) {
  BOOST_TEST(std::string(sample().what()).find("3 failures: a: one; bc: 2 failures: b: two; c: ")
             == 0U);
  std::vector<exception_group::failure> many;
  for (int i = 0; i < 7; ++i)
    many.push_back(failure("t" + std::to_string(i), std::runtime_error("x")));
  const std::string what = exception_group(many).what();
  BOOST_TEST(what.find("t4: x; and 2 more") != what.npos);
  BOOST_TEST(what.find("t5") == what.npos);
  BOOST_CHECK_THROW(exception_group({}), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(finds_by_type_through_nested_groups) {
  const auto g = sample();
  BOOST_TEST(g.find<std::domain_error>()->what() == "two");
  BOOST_TEST(g.find<std::exception>()->what() == "one"); // the first
  BOOST_TEST(*g.find<int>() == 3);
  BOOST_TEST(g.find<exception_group>()->size() == 2U);
  BOOST_TEST((g.find<odd>() != nullptr));
  BOOST_TEST((g.find<std::bad_alloc>() == nullptr));
}

BOOST_AUTO_TEST_CASE(splits_by_type_and_keeps_order_and_names) {
  const auto [logic, rest] = sample().split<std::logic_error>();
  BOOST_TEST(logic.size() == 1U);
  BOOST_TEST(logic[0].task == "b");
  BOOST_TEST(rest.size() == 3U);
  BOOST_TEST(rest[0].task == "a");
  BOOST_TEST(rest[1].task == "c");
  BOOST_TEST(rest[2].task == "d");
  const auto [numbers, others] = sample().split<int>();
  BOOST_TEST(numbers.size() == 1U);
  BOOST_TEST(others.size() == 3U);
  BOOST_TEST(sample().split<exception_group>().first.empty()); // they are flattened
  BOOST_TEST(sample().flatten().size() == 4U);
}

BOOST_AUTO_TEST_CASE(prints_as_a_tree) {
  std::ostringstream out;
  print_tree(out, std::make_exception_ptr(sample()), "root");
  const std::string text = out.str();
  BOOST_TEST(text.find("'root' failed in 3 tasks:\n|-- 'a' failed: one") == 0U);
  BOOST_TEST(text.find("|-- 'bc' failed in 2 tasks:\n|   |-- 'b' failed: two") != text.npos);
  BOOST_TEST(text.find("|   `-- 'c' failed") != text.npos);
  BOOST_TEST(text.find("`-- 'd' failed: an exception of type") != text.npos);
}

BOOST_AUTO_TEST_CASE(describes_whatever_was_thrown) {
  BOOST_TEST(describe({}) == "no failure");
  BOOST_TEST(describe(std::make_exception_ptr(std::string("text"))) == "text");
  BOOST_TEST(describe(std::make_exception_ptr(static_cast<const char*>("c text"))) == "c text");
  BOOST_TEST(describe(std::make_exception_ptr(5)).find("int") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(may_be_thrown_again_in_part_and_taken_by_a_handler) {
  run_virtually([]() -> task<> {
    std::size_t left = 0;
    co_await with_nursery([&](nursery& outer) -> task<> {
      outer.on_error<exception_group>([&](const exception_group& g) {
        const auto [mine, rest] = g.split<std::domain_error>();
        left = rest.size();
        if (rest.empty())
          throw exception_group(rest);
      });
      outer.start_soon([]() -> task<> {
        throw sample();
        co_return;
      });
      co_return;
    });
    BOOST_TEST(left == 3U);
  });
}

BOOST_AUTO_TEST_SUITE_END()
