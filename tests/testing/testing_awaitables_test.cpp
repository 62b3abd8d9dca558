// SPDX-License-Identifier: BSD-3-Clause
// P4 and P5 for what the test kit lets tasks await.
#include "support/awaitable_trials.hpp"

#include <troupe/testing/eventually.hpp>
#include <troupe/testing/wait_all_tasks_blocked.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>

using namespace troupe;
using namespace troupe_test;
using namespace std::chrono_literals;

namespace {

trial blocked(duration cushion) {
  trial t;
  t.waiting = [=]() -> task<> { co_await testing::wait_all_tasks_blocked(cushion); };
  t.now = t.waiting; // nobody else runs
  t.arm = [=](nursery& n, std::function<void()> seen) {
    n.start_soon([=]() -> task<> {
      co_await testing::wait_all_tasks_blocked(cushion);
      seen();
    });
  };
  return t;
}

trial coming_true() {
  trial t;
  t.waiting = []() -> task<> {
    co_await testing::eventually(
      "never", [] { return false; }, 1h);
  };
  t.now = []() -> task<> {
    co_await testing::eventually(
      "now", [] { return true; }, 1h);
  };
  return t;
}

trial staying_true() {
  trial t;
  t.waiting = []() -> task<> {
    co_await testing::always(
      "ever", [] { return true; }, 1h);
  };
  t.now = []() -> task<> {
    co_await testing::always(
      "now", [] { return true; }, 0s);
  };
  return t;
}

} // namespace

BOOST_AUTO_TEST_SUITE(testing_awaitables)

BOOST_AUTO_TEST_CASE(p04_p05_what_tests_wait_for) {
  run_trials({
    {"eventually()", true, coming_true},
    {"always()", true, staying_true},
    {"wait_all_tasks_blocked()", true, [] { return blocked(0s); }},
  });
}

BOOST_AUTO_TEST_SUITE_END()
