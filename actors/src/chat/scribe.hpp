// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/chat/history.hpp>
#include <troupe/clock.hpp>
#include <troupe/event.hpp>
#include <troupe/task.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace troupe::chat {

/// Writes the lines of all rooms to the store: what has come while one batch was under way is the
/// next one. In trouble (the store fails, or does not answer) it says so at once, keeps what comes
/// up to a bound, and tries again. A batch that takes far too long is cut off, as its connection
/// may be dead and not know it: whatever was written of it, to write it again is no mistake. For
/// one loop.
class scribe {
public:
  /// Hears what has become of lines. Must not throw.
  struct listener {
    std::function<void(const std::string& room, std::int64_t up_to)> kept;
    std::function<void(bool trouble, const std::string& text)> state;
  };

  struct limits {
    std::size_t backlog = 10'000;
    duration patience{};
    duration retry_after{};
  };

  struct counts {
    std::uint64_t kept = 0;
    std::uint64_t commits = 0;
    std::uint64_t lost = 0;
  };

  scribe(history_store& store, limits l, listener to)
    : store_(store), limits_(l), listener_(std::move(to)) {}

  /// Takes a line; false if there is no room for it: it is lost. Not a checkpoint.
  bool add(history_line line);

  /// Writes until it is stopped or cancelled; then what is left, as far as that goes. A checkpoint.
  [[nodiscard]] task<> run();

  /// The lines of a room that are not in the history yet, in order.
  [[nodiscard]] std::vector<history_line> waiting_in(const std::string& room) const;

  /// The first of them: what was taken before it is kept.
  [[nodiscard]] std::optional<std::int64_t> first_waiting_in(const std::string& room) const;

  [[nodiscard]] bool trouble() const noexcept { return trouble_; }
  [[nodiscard]] const std::string& cause() const noexcept { return cause_; }
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size() + batch_.size(); }
  [[nodiscard]] const counts& numbers() const noexcept { return counts_; }

private:
  class at_the_end;

  task<> write_all();
  task<bool> write_batch();
  task<> write_rest();
  void in_trouble(const std::string& why);
  void written();

  history_store& store_;
  limits limits_;
  listener listener_;
  std::deque<history_line> waiting_;
  std::vector<history_line> batch_;   // under way, or to be tried again
  std::optional<troupe::event> work_; // while there is nothing to do
  counts counts_;
  std::uint64_t lost_now_ = 0; // in this trouble
  unsigned cut_off_ = 0;       // how often, one after the other
  std::string cause_;
  bool trouble_ = false;
};

} // namespace troupe::chat
