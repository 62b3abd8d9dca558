// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/detail/task_block.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::testing {

class trace;

namespace internal {

class task_tracks;

/// What a step of a simulation runs.
enum class step_kind : std::uint8_t { task, callback, message, timer, job };

/// What was done, step by step: a hash of all of it, and the last entries for people. It
/// holds no address and nothing that a second run of the same program would not have.
class event_log {
public:
  /// `record`, if there is one, gets a picture of it.
  event_log(std::size_t kept, trace* record);
  event_log(const event_log&) = delete;
  event_log& operator=(const event_log&) = delete;
  ~event_log();

  struct step {
    step_kind kind{};
    std::uint32_t loop = 0;
    time_point time{};
    /// Of a task's step; of another one, at its end, what it has made ready.
    const troupe::detail::task_block* task = nullptr;
  };

  /// Before the step.
  void begin(const step& s) noexcept;
  /// After it. The task, if it is that of a task, is still there.
  void end(const step& s) noexcept;

  /// Something else that has happened; `path` is not a part of the hash, as it may be that of
  /// a temporary directory.
  void note(time_point at, std::string_view what, std::string_view path = {}) noexcept;

  [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
  [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }

  /// The last entries, a line each.
  [[nodiscard]] std::string text() const;

private:
  using short_text = std::array<char, 64>;

  /// What has become of a task in its step.
  enum class fate : std::uint8_t { gives_way, is_cancelled, waits, ended, was_cancelled, failed };

  struct entry {
    step_kind kind{};
    bool noted = false;
    bool first = false; // step of the task
    fate then = fate::gives_way;
    std::uint32_t loop = 0;
    std::uint32_t number = 0;
    std::uint32_t parent = 0;
    std::uint64_t step = 0;
    duration time{};
    const char* function = ""; // of the task, or null: `name` is it
    short_text name{};
    short_text text{}; // what it waits for, or a note
  };

  static void write(std::ostream& out, const entry& e);
  static std::string task_of(const entry& e);
  void draw(const entry& e) noexcept;
  entry& next() noexcept;
  static fate fate_of(const troupe::detail::task_block& t) noexcept;
  static const char* text_of(const entry& e) noexcept;
  static void name(entry& e, const troupe::detail::task_block& t) noexcept;
  void fold(std::uint64_t word) noexcept;
  void fold(std::string_view text) noexcept;

  std::size_t kept_;
  std::vector<entry> entries_; // a ring; never grows beyond what is reserved: see `open_`
  entry spare_;                // if none is kept
  entry* open_ = nullptr;
  std::size_t last_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t hash_ = 0xcbf29ce484222325U;
  std::uint32_t tasks_ = 0;
  std::unique_ptr<task_tracks> tracks_; // null: no picture
};

} // namespace internal

} // namespace troupe::testing
