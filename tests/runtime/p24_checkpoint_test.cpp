// SPDX-License-Identifier: BSD-3-Clause
// Cuts small programs off after their k-th step, for every k, on real loops and simulated.
#include "p24_scenarios.hpp"

#include <troupe/testing/injection.hpp>

#include <boost/test/unit_test.hpp>

#include <optional>
#include <string>

using namespace troupe;
using namespace troupe::testing;

namespace {

void check_after_cut(const p24::scenario& s, const p24::ledger& l, bool finished, cut how) {
  p24::check_invariants(s, l, finished);
  if (how == cut::failure) // perhaps in the middle of a clean-up
    BOOST_TEST(l.opened >= l.closed);
  else
    BOOST_TEST(l.opened == l.closed);
  BOOST_TEST(l.received <= l.sent);
  BOOST_TEST(l.sent <= l.received + 2); // the capacity
}

/// What no simulation has: sockets, processes, signals, threads that call back.
bool needs_the_machine(const p24::scenario& s) {
  const std::string name = s.name;
  return s.uses_sockets || name == "calls on threads" || name == "programs"
         || name == "hearing signals";
}

void cut_off_everywhere(cut how, bool real) {
  for (const auto& s : p24::scenarios()) {
    if (!real && needs_the_machine(s))
      continue;
    BOOST_TEST_CONTEXT("scenario '" << s.name << "'") {
      std::optional<p24::ledger> l;
      const auto scenario = [&]() -> task<> { return s.body(l.emplace()); };
      const auto check = [&](const injection& i) {
        BOOST_TEST_CONTEXT("k = " << i.point) { check_after_cut(s, *l, i.finished, how); }
      };
      checkpoint_options o;
      o.loops = s.loops;
      o.real = real;
      o.how = how;
      const std::size_t points = for_each_checkpoint(scenario, check, o);
      BOOST_TEST(points > 0U);
      BOOST_TEST_MESSAGE(s.name << ": " << points << " steps");
    }
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(checkpoint_suite)

BOOST_AUTO_TEST_CASE(p24_cancelling_a_scope_at_the_kth_checkpoint_leaves_nothing_undone) {
  cut_off_everywhere(cut::scope, true);
}

BOOST_AUTO_TEST_CASE(p24_cancelling_a_task_at_the_kth_checkpoint_leaves_nothing_undone) {
  cut_off_everywhere(cut::task, true);
}

BOOST_AUTO_TEST_CASE(p24_a_failing_sibling_at_the_kth_checkpoint_leaves_nothing_undone) {
  cut_off_everywhere(cut::sibling, true);
}

BOOST_AUTO_TEST_CASE(p24_a_failure_at_the_kth_checkpoint_of_any_task_leaves_nothing_undone) {
  cut_off_everywhere(cut::failure, true);
}

BOOST_AUTO_TEST_CASE(p24_simulated_scenarios_are_cut_off_at_the_kth_checkpoint) {
  for (const cut how : {cut::scope, cut::task, cut::sibling, cut::failure})
    cut_off_everywhere(how, false);
}

BOOST_AUTO_TEST_SUITE_END()
