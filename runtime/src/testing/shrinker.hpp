// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "replay.hpp"
#include "search.hpp"

#include <troupe/testing/explore.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace troupe::testing::internal {

/// What two failures have to have in common to be taken for the same: the type, and the first
/// line of the text without its numbers and paths, which follow from what was drawn.
[[nodiscard]] std::string kind_of(const simulation_report& r);

/// Makes a failing run simpler. Of two that fail in the same way the simpler one has, in this
/// order:
/// - fewer faults of the plan, which strike less often,
/// - fewer decisions that are not those of `schedule::in_turn`,
/// - fewer steps, in less time,
/// - draws of `random_bits` that are fewer, up to the last one that is not 0, or else smaller, the
///   first first.
/// So a run with fewer tasks, in less time, is simpler than one with smaller numbers. What else is
/// left to chance becomes 0 where that makes a run simpler in this sense.
///
/// Nothing is 0 for ever: a program that draws until it gets what it wants would have no end, and
/// not even steps.
class shrinker {
public:
  shrinker(const simulated_program& program, const simulation_options& options,
           const simulation_report& failing, std::size_t runs);

  /// Null if no run without the schedule fails.
  [[nodiscard]] std::optional<simulation_report> shrink();

  /// What brings back what `shrink` has given.
  [[nodiscard]] replay found() const;

private:
  /// A draw of the seed's, or what is in its place; null: left out.
  using draw = std::optional<std::uint64_t>;

  /// What a run is changed by.
  struct change {
    std::vector<std::size_t> without; // faults
    std::vector<choice> choices;
    std::vector<draw> draws; // the first so many of the seed's
    std::vector<bool> quiet; // chances: those that are 0
  };

  /// How simple it is.
  struct size {
    std::size_t faults = 0;
    std::uint64_t strikes = 0;
    std::size_t out_of_turn = 0;
    std::uint64_t steps = 0;
    duration elapsed{};
    std::vector<std::uint64_t> draws; // that the program has got, up to the last that is not 0

    [[nodiscard]] bool is_simpler_than(const size& other) const;
  };

  void drop_faults();
  void quieten();
  void end_with_zeros();
  void shorten();
  void clear_pieces(std::size_t piece);
  void leave_out();
  void zero_pieces();
  void lessen();
  void lessen(std::size_t nth);

  /// Spends a part of what is left, so that the others have something, too.
  template <class Pass>
  void in_part(Pass pass);

  [[nodiscard]] bool try_it(change c, bool as_it_is = false);
  [[nodiscard]] replay replay_of(const change& c) const;
  [[nodiscard]] size size_of(const change& c, const simulation_report& r) const;
  void forget_unused(change& c, const simulation_report& r) const;
  [[nodiscard]] draw drawn(const change& c, std::size_t at) const;
  [[nodiscard]] std::vector<std::size_t> given() const;
  [[nodiscard]] change with_zeros_behind() const;
  [[nodiscard]] bool may_go_on() const noexcept { return left_ != 0 && part_ != 0; }

  const simulated_program& program_;
  const simulation_options options_;       // as they were
  const std::vector<std::uint64_t> seeds_; // draws
  const std::uint64_t most_steps_;         // a run that goes on for longer is not simpler
  const std::string kind_;
  change now_;
  size simplest_;
  simulation_report best_;
  std::unordered_map<std::string, bool> tried_; // and whether it has failed in the same way
  bool same_ = false;                           // the last one has
  std::size_t left_;
  std::size_t part_;
};

} // namespace troupe::testing::internal
