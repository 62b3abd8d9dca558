// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

using namespace troupe;

BOOST_AUTO_TEST_SUITE(nursery_suite)

BOOST_AUTO_TEST_CASE(p01_ends_only_when_no_child_lives) {
  int ended = 0;
  run([&]() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 10; ++i)
        n.start_soon([&]() -> task<> {
          co_await checkpoint();
          ++ended;
        });
      co_return;
    });
    BOOST_TEST(ended == 10);
  });
}

BOOST_AUTO_TEST_SUITE_END()
