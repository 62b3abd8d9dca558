// SPDX-License-Identifier: BSD-3-Clause
#include "fault_plan.hpp"
#include "refuse_in_task.hpp"
#include "replay.hpp"
#include "search.hpp"

#include <troupe/testing/explore.hpp>
#include <troupe/testing/test_failure.hpp>

#include <algorithm>
#include <iterator>
#include <sstream>
#include <utility>

namespace troupe::testing {

namespace {

using namespace internal;

/// The first line of a failure: two with the same one are taken for the same.
std::string kind_of(const simulation_report& r) {
  const std::string why = r.why();
  return why.substr(0, why.find('\n'));
}

/// Makes a failing run simpler: fewer faults, and fewer decisions that are not those of
/// `in_turn`.
class shrinker {
public:
  shrinker(const simulated_program& program, const simulation_options& options,
           const simulation_report& failing, std::size_t runs)
    : program_(program), options_(options), kind_(kind_of(failing)), best_(failing), left_(runs) {
    options_.order = schedule::in_turn;
  }

  /// Null if no run without the schedule fails.
  std::optional<simulation_report> shrink() {
    const bool as_it_is = try_it({}) || try_it(best_.choices);
    if (!as_it_is) // the program has changed meanwhile, or depends on chance
      return {};
    drop_faults();
    shorten();
    for (std::size_t piece = best_.choices.size(); piece != 0 && left_ != 0; piece /= 2)
      clear_pieces(piece);
    return std::move(best_);
  }

  /// The faults that it does without.
  [[nodiscard]] const std::vector<std::size_t>& without() const noexcept { return without_; }

private:
  /// Leaves out all that are not needed: half of them at a time, then fewer.
  void drop_faults() {
    const std::vector<fault> plan = options_.faults;
    for (std::size_t piece = plan.size(); piece != 0 && left_ != 0; piece /= 2)
      for (std::size_t from = 0; from < plan.size() && left_ != 0; from += piece) {
        auto fewer = without_;
        for (std::size_t i = from; i < std::min(from + piece, plan.size()); ++i)
          if (std::find(fewer.begin(), fewer.end(), i) == fewer.end())
            fewer.push_back(i);
        if (fewer.size() == without_.size())
          continue;
        std::sort(fewer.begin(), fewer.end());
        options_.faults = leave_out(plan, fewer);
        if (try_it(best_.choices))
          without_ = std::move(fewer);
        else
          options_.faults = leave_out(plan, without_);
      }
  }

  bool try_it(std::vector<choice> choices) {
    if (left_ == 0)
      return false;
    --left_;
    while (!choices.empty() && choices.back().taken == 0)
      choices.pop_back();
    options_.choices = choices;
    simulation_report r = program_(best_.seed, options_);
    if (!r.failed() || kind_of(r) != kind_)
      return false;
    best_ = std::move(r);
    best_.choices.resize(std::min(best_.choices.size(), choices.size()));
    return true;
  }

  void shorten() {
    for (std::size_t cut = (best_.choices.size() + 1) / 2; cut != 0;) {
      auto fewer = best_.choices;
      fewer.resize(fewer.size() - std::min(cut, fewer.size()));
      if (!try_it(std::move(fewer)) || best_.choices.size() < cut)
        cut /= 2;
    }
  }

  void clear_pieces(std::size_t piece) {
    for (std::size_t from = 0; from < best_.choices.size() && left_ != 0; from += piece) {
      auto fewer = best_.choices;
      bool any = false;
      for (std::size_t i = from; i < std::min(from + piece, fewer.size()); ++i)
        any |= std::exchange(fewer[i].taken, 0) != 0;
      if (any)
        try_it(std::move(fewer));
    }
  }

  const simulated_program& program_;
  simulation_options options_;
  std::string kind_;
  simulation_report best_;
  std::vector<std::size_t> without_;
  std::size_t left_;
};

void found(exploration& e, const simulated_program& program, const explore_options& options,
           simulation_report failing) {
  e.replay = replay{failing.seed, {}, failing.hash}.text();
  shrinker smaller(program, options.simulation, failing, options.shrink_runs);
  auto simplest = smaller.shrink();
  if (simplest) {
    e.needless = smaller.without();
    e.replay = replay{simplest->seed, simplest->choices, simplest->hash, smaller.without()}.text();
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
    out << "Made simpler, it has " << changes(*simplest) << " decisions out of turn, not "
        << changes(*failure) << ".\n";
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
