// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/testing/trace.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace troupe::testing::internal {

/// Draws the tasks of a simulation into a trace. A task that has ended leaves its track to the
/// next one of its name, so that the lives of a child are beside each other.
class task_tracks {
public:
  explicit task_tracks(trace& to) : to_(to) {}

  /// A task, by its number, begins to live.
  void begin(std::uint32_t number, std::uint32_t loop, const std::string& name, time_point at);
  /// It has run, and waits.
  void waits(std::uint32_t number, std::string what, time_point at);
  /// It has run, and goes on.
  void runs(std::uint32_t number, time_point at);
  /// It has run, and has ended.
  void end(std::uint32_t number, std::string how, time_point at);

  /// Something else has happened.
  void note(std::string what, time_point at);

private:
  using place = std::pair<std::uint32_t, std::string>; // loop and name
  struct life {
    place where;
    trace::track on{};
    bool waits = false;
  };

  trace& to_;
  std::unordered_map<std::uint32_t, life> lives_;
  std::map<place, std::vector<trace::track>> free_;
  std::vector<trace::track> notes_; // one, when there was one
};

} // namespace troupe::testing::internal
