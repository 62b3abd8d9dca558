// SPDX-License-Identifier: BSD-3-Clause
#include "fault_plan.hpp"
#include "refuse_in_task.hpp"
#include "replay.hpp"
#include "search.hpp"
#include "shrinker.hpp"

#include <troupe/error.hpp>
#include <troupe/testing/explore.hpp>
#include <troupe/testing/test_failure.hpp>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <sstream>
#include <utility>

namespace troupe::testing {

namespace {

using namespace internal;

void found(exploration& e, const simulated_program& program, const explore_options& options,
           simulation_report failing) {
  e.replay = replay{failing.seed, {}, failing.hash}.text();
  shrinker smaller(program, options.simulation, failing, options.shrink_runs);
  if (auto simplest = smaller.shrink()) {
    const replay r = smaller.found();
    e.needless = r.without;
    e.replay = r.text();
    e.simplest = std::move(simplest);
  }
  e.failure = std::move(failing);
}

/// The one run that TROUPE_SEED asks for. Throws `test_failure` if it is another one now.
exploration run_again(const replay& r, const simulated_program& program,
                      const simulation_options& options) {
  exploration e;
  e.runs = 1;
  simulation_report report = program(r.seed, r.apply(options));
  r.check(report);
  if (has_failed(report)) {
    e.replay = r.text();
    e.failure = std::move(report);
  }
  return e;
}

/// What the schedule wants to know beforehand.
void count_decisions(const simulated_program& program, explore_options& options) {
  simulation_options& o = options.simulation;
  if (o.order != schedule::priorities || o.expected != 0)
    return;
  simulation_options once = o;
  once.order = schedule::in_turn;
  o.expected = std::max<std::size_t>(program(options.first_seed, once).choices.size(), 1);
}

/// Runs what was found once more, for the picture.
void draw(const exploration& e, const simulated_program& program, simulation_options options,
          trace* record) {
  if (!record || !e.failure)
    return;
  const replay r = replay::parse(e.replay);
  options = r.apply(std::move(options));
  options.record = record;
  static_cast<void>(program(r.seed, options));
}

simulation_report lost(std::uint64_t seed, const std::string& why) {
  simulation_report r;
  r.seed = seed;
  r.failure = std::make_exception_ptr(test_failure(why));
  return r;
}

std::vector<std::size_t> in_both(const std::vector<std::size_t>& a,
                                 const std::vector<std::size_t>& b) {
  std::vector<std::size_t> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return both;
}

/// After all runs: a plan that names what was in none of them is a mistake.
simulation_report unmatched(std::uint64_t seed, std::vector<std::size_t> which,
                            const std::vector<fault>& plan) {
  simulation_report r;
  r.seed = seed;
  r.failure = std::make_exception_ptr(unmatched_fault(plan[which.front()].names));
  r.unmatched = std::move(which);
  return r;
}

} // namespace

exploration internal::explore(const simulated_program& program, std::uint64_t runs,
                              const explore_options& given) {
  refuse_in_task("explore");
  check_plan(given.simulation.faults);
  if (!given.simulation.draws.empty() || !given.simulation.chances.empty())
    throw usage_error("troupe: explore has its draws from its seeds, not from its options");
  explore_options options = given;
  trace* const record = std::exchange(options.simulation.record, nullptr);
  count_decisions(program, options);
  if (const auto again = replay::of_environment()) {
    options.simulation.record = record;
    return run_again(*again, program, options.simulation);
  }
  const search_result s = search(program, runs, options);
  exploration e;
  e.runs = s.failing ? *s.failing - options.first_seed + 1 : runs;
  if (!s.failing) {
    if (!s.unmatched.empty())
      e.failure = unmatched(options.first_seed, s.unmatched, options.simulation.faults);
    return e;
  }
  if (s.signal) {
    e.replay = std::to_string(*s.failing);
    e.failure = lost(*s.failing, "the process has died of signal " + std::to_string(s.signal));
    return e;
  }
  simulation_report again = program(*s.failing, options.simulation);
  if (!has_failed(again)) {
    e.replay = std::to_string(*s.failing);
    e.failure = lost(*s.failing, "it has failed once and not the second time: the program "
                                 "depends on something that no seed brings back");
    return e;
  }
  found(e, program, options, std::move(again));
  draw(e, program, options.simulation, record);
  return e;
}

exploration internal::explore_all(const simulated_program& program,
                                  const explore_all_options& options) {
  refuse_in_task("explore_all");
  check_plan(options.simulation.faults);
  if (const auto again = replay::of_environment())
    return run_again(*again, program, options.simulation);
  exploration e;
  simulation_options now = options.simulation;
  now.order = schedule::in_turn;
  now.choices.clear();
  now.record = nullptr;
  std::vector<std::size_t> never; // unmatched, in all runs so far
  while (e.runs < options.max_runs) {
    simulation_report r = program(options.seed, now);
    never = e.runs == 0 ? r.unmatched : in_both(never, r.unmatched);
    ++e.runs;
    if (has_failed(r)) {
      e.replay = replay{r.seed, r.choices, r.hash}.text();
      e.failure = std::move(r);
      draw(e, program, options.simulation, options.simulation.record);
      return e;
    }
    // the next one, depth first: the last decision that can be taken otherwise
    auto& taken = r.choices;
    taken.resize(std::min(taken.size(), options.max_depth));
    auto changes = std::count_if(taken.begin(), taken.end(), [](choice c) { return c.taken != 0; });
    for (; !taken.empty(); taken.pop_back()) {
      const bool changed = taken.back().taken != 0;
      changes -= changed;
      if (taken.back().taken + 1 < taken.back().of && changes < options.max_changes)
        break;
    }
    if (taken.empty()) {
      e.complete = true;
      break;
    }
    ++taken.back().taken;
    now.choices = std::move(taken);
  }
  if (!never.empty())
    e.failure = unmatched(options.seed, std::move(never), options.simulation.faults);
  return e;
}

std::string exploration::text() const {
  if (!failure)
    return {};
  std::ostringstream out;
  if (replay.empty()) { // none has failed
    out << "troupe: " << failure->why() << ", in " << runs << " runs\n";
    return out.str();
  }
  const simulation_report& shown = simplest ? *simplest : *failure;
  out << "troupe: run " << runs << " has failed, with seed " << failure->seed << ": " << shown.why()
      << '\n';
  if (simplest) {
    const auto changes = [](const simulation_report& r) {
      return std::count_if(r.choices.begin(), r.choices.end(),
                           [](choice c) { return c.taken != 0; });
    };
    const auto seconds = [](const simulation_report& r) {
      return std::chrono::duration<double>(r.elapsed).count();
    };
    out << "Made simpler, it has " << changes(*simplest) << " decisions out of turn, not "
        << changes(*failure) << ", and " << simplest->steps << " steps in " << seconds(*simplest)
        << " s, not " << failure->steps << " in " << seconds(*failure) << " s.\n";
    if (simplest->strikes != failure->strikes)
      out << "Faults strike " << simplest->strikes << " times, not " << failure->strikes << ".\n";
    if (!needless.empty()) {
      out << "It does without these faults of the plan, counted from 0:";
      for (const std::size_t i : needless)
        out << ' ' << i;
      out << '\n';
    }
  }
  if (!shown.log.empty())
    out << "What was done last:\n" << shown.log;
  out << "It comes back with TROUPE_SEED=" << replay << '\n';
  return out.str();
}

void exploration::verify() const {
  if (failure)
    throw test_failure(text());
}

} // namespace troupe::testing
