// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/testing/simulation.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace troupe::testing {

/// How `explore` searches.
struct explore_options {
  simulation_options simulation;
  std::uint64_t first_seed = 1;
  unsigned processes = 0;        ///< that search side by side, made by `fork`; 0: one per core, or
                                 ///< none but this one where other threads run already
  std::size_t shrink_runs = 300; ///< the most that may be spent on making a failure simpler
};

/// How `explore_all` searches.
struct explore_all_options {
  simulation_options simulation;
  std::uint64_t seed = 1; ///< of `random_bits`
  std::uint64_t max_runs = 100'000;
  unsigned max_changes = 2;     ///< decisions in one run that are not those of
                                ///< `schedule::in_turn`: few find most
  std::size_t max_depth = 1000; ///< decisions from the start that are varied
};

/// What a search has found.
struct [[nodiscard]] exploration {
  std::uint64_t runs = 0;                    ///< up to the first failure
  bool complete = false;                     ///< `explore_all`: there are no more
  std::optional<simulation_report> failure;  ///< the first, in the order of the seeds
  std::optional<simulation_report> simplest; ///< the same, with fewer faults, changes of turn,
                                             ///< steps and draws, in less time
  std::vector<std::size_t> needless; ///< the faults of the plan, from 0, that it does without
  std::string replay;                ///< TROUPE_SEED for it

  /// What to tell people; empty if nothing was found.
  [[nodiscard]] std::string text() const;

  /// Throws a `test_failure` with `text()` if something was found.
  void verify() const;
};

namespace internal {

using simulated_program =
  std::function<simulation_report(std::uint64_t seed, const simulation_options&)>;

[[nodiscard]] exploration explore(const simulated_program& program, std::uint64_t runs,
                                  const explore_options& options);
[[nodiscard]] exploration explore_all(const simulated_program& program,
                                      const explore_all_options& options);

template <class F>
simulated_program simulated(F fn) {
  return [fn = std::move(fn)](std::uint64_t seed, const simulation_options& options) {
    return static_cast<simulation_report>(simulate(seed, fn, options));
  };
}

} // namespace internal

/// Simulates `fn()` with one seed after the other, `runs` of them, until one fails:
///
///     explore(transfer_between_accounts, 1000).verify();
///
/// What fails is made simpler, as far as that goes: fewer faults of the plan happen, the loops
/// change turns less often, there are fewer steps and less time goes by, as `random_bits` gives
/// smaller numbers; and still it fails in the same way: with the same type of exception, and the
/// same first line of its text but for numbers and paths. `fn` is copied for each run; what it
/// refers to has to be as new each time, and is another one in each process. A fault of the plan
/// that has met its name in none of the runs is a failure, too.
///
/// With the environment variable `TROUPE_SEED` set to what `text()` has printed, there is one
/// run, that one. If the program is no longer the same (the hash of its event log is not
/// that of the failure) a `test_failure` says so, and so it does if the variable makes no
/// sense. Throws `usage_error` inside of a task, for an impossible plan of faults, and for options
/// with `draws` or `chances`, which come from the seeds here; `std::system_error` if there are no
/// processes to be had, and what `simulate` or a copy of `fn` has thrown, with the lowest seed that
/// does.
template <class F>
exploration explore(F fn, std::uint64_t runs, const explore_options& options = {}) {
  return internal::explore(internal::simulated(std::move(fn)), runs, options);
}

/// Simulates `fn()` in all orders that there are, up to the bounds of `options`: the loops in
/// turn, and then each run that has one more decision taken otherwise. For small programs.
/// `TROUPE_SEED` and what it throws are as with `explore`.
template <class F>
exploration explore_all(F fn, const explore_all_options& options = {}) {
  return internal::explore_all(internal::simulated(std::move(fn)), options);
}

} // namespace troupe::testing
