// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/time.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <iosfwd>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing {

/// What has happened when, as a picture: JSON in the trace event format, which
/// https://ui.perfetto.dev and chrome://tracing open.
///
/// A simulation draws itself, if it is told where (`simulation_options::record`): each task is
/// on a track, in the group of its loop, with what it waits for, and the faults of the plan are
/// on one of their own. Tracks of the program's can stand beside them, or alone, also in a run
/// that is not simulated:
///
///     trace day;
///     const auto ann = day.add_track("people", "ann");
///     day.begin(ann, "is connected");
///     day.instant(ann, "says hello");
///     day.end(ann);
///     std::ofstream file("day.json");
///     day.write(file);
///
/// Times are those of the runtime, virtual or not; a microsecond of them is one of the picture.
/// Of too many events the last are kept. For one thread at a time; nothing is a checkpoint. All
/// that adds something throws `std::bad_alloc`, and `std::out_of_range` if there is no such
/// track.
class trace {
public:
  /// A row of the picture.
  enum class track : std::uint32_t {};

  /// `most` events are kept; those of a track that has not ended are not counted.
  explicit trace(std::size_t most = 300'000) : most_(most) {}

  /// A new row in a group of rows, which is made if there is none of that name.
  [[nodiscard]] track add_track(const std::string& group, std::string name);

  /// Something begins that lasts. What begins on the same track before it ends is a part of it.
  void begin(track on, std::string what, time_point at = current_time());

  /// What has begun last, and not ended, ends; `how` is shown with it. Throws `usage_error` if
  /// there is nothing.
  void end(track on, std::string how = {}, time_point at = current_time());

  /// Something happens.
  void instant(track on, std::string what, time_point at = current_time());

  /// From now on this is the value of what the track is called: the row is a curve.
  void count(track on, double value, time_point at = current_time());

  /// How many events have given way to later ones.
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

  /// Writes the picture. What has not ended lasts until the last time that was heard of. Throws
  /// what the stream throws.
  void write(std::ostream& out) const;

private:
  struct event {
    enum class kind : std::uint8_t { slice, instant, value } what{};
    std::uint32_t row = 0;
    time_point at{};
    duration length{};
    std::uint64_t number = 0; // of its beginning
    double value = 0;
    std::string name{};
    std::string how{};
  };
  struct row {
    std::uint64_t group = 0;
    std::uint64_t id = 0;
    std::string name;
    std::vector<event> open; // the outermost first
  };

  [[nodiscard]] row& at(track which) { return rows_.at(static_cast<std::size_t>(which)); }
  void add(event e);
  void write(std::string& to, const event& e) const;

  std::size_t most_;
  std::uint64_t lost_ = 0;
  std::uint64_t numbers_ = 0;
  std::uint64_t ids_ = 0; // of groups and rows, which viewers take for processes and threads
  time_point last_{};
  std::map<std::string, std::uint64_t> groups_;
  std::vector<row> rows_;
  std::deque<event> events_; // in the order of their ends
};

} // namespace troupe::testing
