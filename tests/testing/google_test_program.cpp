// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/testing.hpp>
#include <troupe/troupe.hpp>

#include <gtest/gtest.h>

#include <chrono>

using namespace troupe;
namespace kit = troupe::testing; // GoogleTest has a namespace testing, too
using namespace std::chrono_literals;

TEST(test_kit, runs_a_coroutine) {
  kit::run_test([]() -> task<> {
    const auto began = current_time();
    co_await sleep_for(24h);
    EXPECT_EQ(current_time() - began, duration(24h));
  });
}

TEST(test_kit, reports_by_an_exception) {
  EXPECT_THROW(kit::run_test([]() -> task<> {
                 co_await kit::assert_no_checkpoints([]() -> task<> { co_await checkpoint(); });
               }),
               kit::test_failure);
}
