// SPDX-License-Identifier: BSD-3-Clause
// P4 and P5 for what the test kit lets tasks await.
#include "support/awaitable_trials.hpp"

#include <troupe/testing/checkpoints.hpp>
#include <troupe/testing/eventually.hpp>
#include <troupe/testing/expect_failure.hpp>
#include <troupe/testing/sequencer.hpp>
#include <troupe/testing/wait_all_tasks_blocked.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>

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

/// The turn is a task's that has it, until `complete`.
trial turn() {
  struct situation {
    testing::sequencer seq;
    std::optional<testing::sequencer::holder> first;
  };
  auto s = std::make_shared<situation>();
  trial t;
  t.setup = [=]() -> task<> { s->first.emplace(co_await s->seq.turn(0)); };
  t.waiting = [=]() -> task<> { static_cast<void>(co_await s->seq.turn(1)); };
  t.complete = [=] { s->first.reset(); };
  return t;
}

trial turn_at_once() {
  auto seq = std::make_shared<testing::sequencer>();
  trial t;
  t.now = [=]() -> task<> { static_cast<void>(co_await seq->turn(0)); };
  return t;
}

/// A checkpoint if what it awaits is one.
trial asserted(bool some) {
  trial t;
  t.now = [=]() -> task<> {
    if (some)
      co_await testing::assert_checkpoints([]() -> task<> { co_await checkpoint(); });
    else
      co_await testing::assert_no_checkpoints([]() -> task<> { co_return; });
  };
  return t;
}

trial failing(bool late) {
  trial t;
  t.now = [=]() -> task<> {
    const auto fail = [late]() -> task<> {
      if (late)
        co_await checkpoint();
      throw std::runtime_error("as meant");
    };
    co_await testing::expect_failure(testing::failure<std::runtime_error>(), fail);
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
    {"turn()", true, turn},
    {"turn(), at once", true, turn_at_once},
    {"assert_checkpoints()", true, [] { return asserted(true); }},
    {"assert_no_checkpoints()", false, [] { return asserted(false); }},
    {"expect_failure() of a checkpoint", true, [] { return failing(true); }},
    {"expect_failure()", false, [] { return failing(false); }},
  });
}

BOOST_AUTO_TEST_SUITE_END()
