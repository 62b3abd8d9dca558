// SPDX-License-Identifier: BSD-3-Clause
#include "order.hpp"

#include <algorithm>
#include <functional>

namespace troupe::testing::internal {

namespace {

/// Decisions of a run, where nobody knows.
constexpr std::uint64_t usual = 100;

/// The first `changes` priorities are for those that were lowered.
constexpr std::uint64_t never_lowered = std::uint64_t{1} << 63U;

std::uint64_t mix(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

} // namespace

order::order(std::uint64_t seed, const simulation_options& options)
  : schedule_(options.order), given_(options.choices), seed_(mix(seed)), random_(seed) {
  if (schedule_ != schedule::priorities)
    return;
  for (unsigned i = 0; i < options.changes; ++i)
    changes_.push_back(random_() % (options.expected != 0 ? options.expected : usual));
  std::sort(changes_.begin(), changes_.end(), std::greater());
}

std::size_t order::choose(std::span<const std::uint64_t> keys) {
  const std::size_t at = taken_.size();
  const std::size_t next = at < given_.size()
                             ? std::min<std::size_t>(given_[at].taken, keys.size() - 1)
                             : ask_schedule(keys);
  taken_.push_back({static_cast<std::uint32_t>(next), static_cast<std::uint32_t>(keys.size())});
  return next;
}

std::size_t order::ask_schedule(std::span<const std::uint64_t> keys) {
  switch (schedule_) {
  case schedule::in_turn: return 0;
  case schedule::random: return random_() % keys.size();
  case schedule::priorities: break;
  }
  std::size_t first = highest(keys);
  while (!changes_.empty() && changes_.back() <= taken_.size()) {
    changes_.pop_back();
    lowered_[keys[first]] = changes_.size(); // the later, the lower
    first = highest(keys);
  }
  // what the first one could do is up to chance
  const auto same = std::count(keys.begin(), keys.end(), keys[first]);
  auto skip = same == 1 ? 0 : random_() % static_cast<std::uint64_t>(same);
  while (skip-- != 0)
    first = static_cast<std::size_t>(
      std::find(keys.begin() + static_cast<std::ptrdiff_t>(first) + 1, keys.end(), keys[first])
      - keys.begin());
  return first;
}

std::size_t order::highest(std::span<const std::uint64_t> keys) const {
  const auto first = std::max_element(keys.begin(), keys.end(),
                                      [this](auto a, auto b) { return priority(a) < priority(b); });
  return static_cast<std::size_t>(first - keys.begin());
}

std::uint64_t order::priority(std::uint64_t key) const {
  const auto lower = lowered_.find(key);
  return lower != lowered_.end() ? lower->second : mix(seed_ ^ key) | never_lowered;
}

} // namespace troupe::testing::internal
