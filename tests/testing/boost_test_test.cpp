// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/detail/runtime.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>

using namespace troupe;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(boost_test_cases)

TROUPE_TEST_CASE(its_body_is_a_coroutine_on_virtual_time) {
  const auto began = current_time();
  co_await sleep_for(24h);
  BOOST_TEST((current_time() - began == 24h));
}

TROUPE_TEST_CASE(it_takes_options, .loops = 2, .check_leaks = false) {
  BOOST_TEST(detail::loop::current()->owner().size() == 2U);
  co_return;
}

TROUPE_TEST_CASE(it_runs_on_real_time, .virtual_time = false) {
  const auto began = clock::now();
  co_await sleep_for(1ms);
  BOOST_TEST((clock::now() - began >= 1ms));
}

BOOST_AUTO_TEST_SUITE_END()
