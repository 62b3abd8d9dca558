// SPDX-License-Identifier: BSD-3-Clause
// Cancels small programs after their k-th step, for every k: a step of a task ends where
// it waits or gives way.
#include "p24_scenarios.hpp"

#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <stdexcept>
#include <vector>

using namespace troupe;

namespace {

/// What happens after the k-th step on the first loop. The hook is a plain function,
/// so this is one object for the program.
struct kth_step {
  std::size_t steps = 0;
  std::size_t at = 0;
  std::function<void()> act;

  void arm(std::size_t k, std::function<void()> what) {
    steps = 0;
    at = k;
    act = std::move(what);
    if (k == 0)
      act();
    else
      detail::after_step = [](detail::loop& l) noexcept {
        if (l.index() == 0)
          the_step.count();
      };
  }
  void disarm() {
    detail::after_step = nullptr;
    act = nullptr;
  }
  void count() noexcept {
    if (++steps == at)
      act();
  }

  static kth_step the_step;
};

kth_step kth_step::the_step;

class armed_step {
public:
  armed_step(std::size_t k, std::function<void()> what) {
    kth_step::the_step.arm(k, std::move(what));
  }
  armed_step(const armed_step&) = delete;
  armed_step& operator=(const armed_step&) = delete;
  ~armed_step() { kth_step::the_step.disarm(); }
};

void check_invariants(const p24::scenario& s, const p24::ledger& l, bool finished) {
  BOOST_TEST(l.alive == 0);
  BOOST_TEST(l.opened == l.closed);
  BOOST_TEST(!l.out_of_order);
  BOOST_TEST(!l.early);
  BOOST_TEST(l.received <= l.sent);
  BOOST_TEST(l.sent <= l.received + 2); // the capacity
  if (finished)
    BOOST_TEST(l.result == s.result);
}

using way = task<bool> (*)(const p24::scenario&, p24::ledger&, std::size_t);

/// Runs each scenario for every k in one way of cancelling it, which gives whether the
/// scenario ran to its end.
void cancel_everywhere(way run_one) {
  for (const auto& s : p24::scenarios()) {
    BOOST_TEST_CONTEXT("scenario '" << s.name << "'") {
      for (std::size_t k = 0;; ++k) {
        bool over = false;
        BOOST_TEST_CONTEXT("k = " << k) {
          p24::ledger l;
          troupe::testing::virtual_clock time;
          run_options options;
          options.loops = s.loops;
          options.debug = true; // the hook is called
          options.time = s.loops == 1 ? &time : nullptr;
          bool finished = false;
          BOOST_CHECK_NO_THROW(
            run(options, [&]() -> task<> { finished = co_await run_one(s, l, k); }));
          check_invariants(s, l, finished);
          over = kth_step::the_step.steps < k;
          if (over)
            BOOST_TEST(finished);
        }
        if (over) {
          BOOST_TEST_MESSAGE(s.name << ": " << k << " steps");
          break;
        }
        BOOST_REQUIRE(k < 10000);
      }
    }
  }
}

task<bool> by_scope(const p24::scenario& s, p24::ledger& l, std::size_t k) {
  co_return co_await with_cancel_scope([&](cancel_scope& scope) -> task<> {
    const armed_step now(k, [&scope] { scope.cancel("the k-th step"); });
    co_await s.body(l);
  });
}

task<bool> by_handle(const p24::scenario& s, p24::ledger& l, std::size_t k) {
  bool finished = false;
  co_await with_nursery([&](nursery& n) -> task<> {
    auto handle = n.start_soon([&]() -> task<> {
      co_await s.body(l);
      finished = true;
    });
    const armed_step now(k, [handle]() mutable { handle.cancel("the k-th step"); });
    std::vector<task_handle<void>> handles(1, handle);
    co_await wait(std::move(handles));
  });
  co_return finished;
}

struct made_to_fail : std::runtime_error {
  made_to_fail() : std::runtime_error("the k-th step") {}
};

/// A sibling fails, which cancels the nursery around both.
task<bool> by_failing_sibling(const p24::scenario& s, p24::ledger& l, std::size_t k) {
  bool finished = false;
  bool failed = false;
  event go;
  try {
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_service([&]() -> task<> {
        co_await go.wait();
        throw made_to_fail();
      });
      const armed_step now(k, [&go] { go.set(); });
      co_await s.body(l);
      finished = true;
    });
  } catch (const made_to_fail&) {
    failed = true;
  }
  if (!finished && !failed)
    throw std::logic_error("the failure was lost");
  co_return finished;
}

} // namespace

BOOST_AUTO_TEST_SUITE(checkpoint_suite)

BOOST_AUTO_TEST_CASE(p24_cancelling_a_scope_at_the_kth_checkpoint_leaves_nothing_undone) {
  cancel_everywhere(by_scope);
}

BOOST_AUTO_TEST_CASE(p24_cancelling_a_task_at_the_kth_checkpoint_leaves_nothing_undone) {
  cancel_everywhere(by_handle);
}

BOOST_AUTO_TEST_CASE(p24_a_failing_sibling_at_the_kth_checkpoint_leaves_nothing_undone) {
  cancel_everywhere(by_failing_sibling);
}

BOOST_AUTO_TEST_SUITE_END()
