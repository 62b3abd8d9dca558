// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/task.hpp>
#include <troupe/testing/run_test.hpp>

#include <boost/test/unit_test_suite.hpp>

/// A test case of Boost.Test whose body is a coroutine, run by `run_test`:
///
///     TROUPE_TEST_CASE(sleeps_for_a_day) { co_await troupe::sleep_for(24h); }
///
/// After the name can come `test_options`, in their order:
///
///     TROUPE_TEST_CASE(on_two_loops, .loops = 2, .check_leaks = false) { ... }
///
/// The body runs on the thread of the first loop. A `co_return` ends it.
#define TROUPE_TEST_CASE(test_name, ...)                                                           \
  static ::troupe::task<> test_name##_body();                                                      \
  BOOST_AUTO_TEST_CASE(test_name) {                                                                \
    ::troupe::testing::run_test(                                                                   \
      ::troupe::testing::test_options{.name = #test_name __VA_OPT__(, ) __VA_ARGS__},              \
      test_name##_body);                                                                           \
  }                                                                                                \
  static ::troupe::task<> test_name##_body()
