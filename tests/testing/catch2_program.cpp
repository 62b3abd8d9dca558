// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/testing.hpp>
#include <troupe/troupe.hpp>

#ifdef TROUPE_CATCH2_IS_ONE_HEADER
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#else
#include <catch2/catch_test_macros.hpp>
#endif

#include <chrono>

using namespace troupe;
using namespace std::chrono_literals;

TEST_CASE("a coroutine runs on virtual time") {
  testing::run_test([]() -> task<> {
    const auto began = current_time();
    co_await sleep_for(24h);
    CHECK(current_time() - began == 24h);
  });
}

TEST_CASE("the kit reports by an exception") {
  CHECK_THROWS_AS(testing::run_test([]() -> task<> {
                    co_await testing::assert_no_checkpoints(
                      []() -> task<> { co_await checkpoint(); });
                  }),
                  testing::test_failure);
}
