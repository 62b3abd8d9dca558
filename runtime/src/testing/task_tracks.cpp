// SPDX-License-Identifier: BSD-3-Clause
#include "task_tracks.hpp"

namespace troupe::testing::internal {

void task_tracks::begin(std::uint32_t number, std::uint32_t loop, const std::string& name,
                        time_point at) {
  const place where(loop, name);
  auto& free = free_[where];
  if (free.empty())
    free.push_back(to_.add_track("loop " + std::to_string(loop), name));
  to_.begin(free.back(), name + '#' + std::to_string(number), at);
  lives_[number] = {where, free.back()};
  free.pop_back();
}

void task_tracks::waits(std::uint32_t number, std::string what, time_point at) {
  runs(number, at);
  const auto found = lives_.find(number);
  if (found == lives_.end())
    return;
  to_.begin(found->second.on, std::move(what), at);
  found->second.waits = true;
}

void task_tracks::runs(std::uint32_t number, time_point at) {
  const auto found = lives_.find(number);
  if (found != lives_.end() && std::exchange(found->second.waits, false))
    to_.end(found->second.on, {}, at);
}

void task_tracks::end(std::uint32_t number, std::string how, time_point at) {
  runs(number, at);
  const auto found = lives_.find(number);
  if (found == lives_.end())
    return;
  to_.end(found->second.on, std::move(how), at);
  free_[found->second.where].push_back(found->second.on);
  lives_.erase(found);
}

void task_tracks::note(std::string what, time_point at) {
  if (notes_.empty())
    notes_.push_back(to_.add_track("simulation", "faults"));
  to_.instant(notes_.front(), std::move(what), at);
}

} // namespace troupe::testing::internal
