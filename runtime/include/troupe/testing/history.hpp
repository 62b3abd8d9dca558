// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/time.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing {

/// One operation on something shared: what was asked, when, and what came of it.
template <class Input, class Output>
struct operation {
  std::string by; ///< who has called it
  Input input;
  std::optional<Output> output; ///< none, if it has never returned: it may have had its effect
  std::uint64_t called = 0;     ///< both in the order of the events of the history
  std::uint64_t returned = std::numeric_limits<std::uint64_t>::max();
};

/// What a specification says: `apply(state, input, output)` is true if an object in this
/// state may answer `input` with `output` (or with anything, if that is null), and makes
/// the state that of afterwards.
template <class State, class Input, class Output>
struct specification {
  State initial;
  std::function<bool(State&, const Input&, const Output*)> apply;
};

/// Records who has done what to something that several tasks use, to find out afterwards
/// whether it has behaved as if they had come one after the other (`is_linearizable`).
///
/// For simulated runs: one thread at a time.
template <class Input, class Output>
class history {
public:
  /// An operation begins. Returns its number, for `returned`.
  [[nodiscard]] std::size_t called(std::string by, Input input) {
    operations_.push_back({std::move(by), std::move(input), {}, ++events_});
    return operations_.size() - 1;
  }
  /// It has answered. Throws `std::out_of_range` if there is no such operation.
  void returned(std::size_t number, Output output) {
    auto& o = operations_.at(number);
    o.output = std::move(output);
    o.returned = ++events_;
  }

  [[nodiscard]] const std::vector<operation<Input, Output>>& operations() const noexcept {
    return operations_;
  }

private:
  std::vector<operation<Input, Output>> operations_;
  std::uint64_t events_ = 0;
};

/// Whether there is an order of the operations in which each could have answered what it
/// has, and in which none comes before one that was over when it began (after Wing and Gong,
/// with Lowe's memory of what was tried). An operation that has not returned comes anywhere
/// after its call, or never. `State` needs an order (`<`).
///
/// Takes time that is exponential in the number of operations which overlap: for small
/// histories. Throws `std::bad_alloc`.
template <class State, class Input, class Output>
[[nodiscard]] bool is_linearizable(const history<Input, Output>& h,
                                   const specification<State, Input, Output>& spec) {
  const auto& all = h.operations();
  struct node {
    std::vector<bool> done;
    State state;
    bool operator<(const node& other) const {
      return done != other.done ? done < other.done : state < other.state;
    }
  };
  std::set<node> seen;
  std::vector<node> open{{std::vector<bool>(all.size()), spec.initial}};
  while (!open.empty()) {
    const node at = std::move(open.back());
    open.pop_back();
    if (!seen.insert(at).second)
      continue;
    // one may come next if none that is left was over before it began
    std::uint64_t first_end = std::numeric_limits<std::uint64_t>::max();
    bool over = true;
    for (std::size_t i = 0; i < all.size(); ++i)
      if (!at.done[i]) {
        first_end = std::min(first_end, all[i].returned);
        over = over && !all[i].output;
      }
    if (over)
      return true; // those that are left have not returned
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (at.done[i] || all[i].called > first_end)
        continue;
      node next = at;
      next.done[i] = true;
      if (spec.apply(next.state, all[i].input, all[i].output ? &*all[i].output : nullptr))
        open.push_back(std::move(next));
    }
  }
  return false;
}

} // namespace troupe::testing
