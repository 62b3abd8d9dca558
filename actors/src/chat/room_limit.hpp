// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/chat/history.hpp>

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <vector>

namespace troupe::chat {

/// Which rooms of a database have to be cut down to their last lines. To look for those costs
/// their number, so that it is not done for each line: a tenth more may be there for a while.
class room_limit {
public:
  /// `lines`: of each room; 0: all.
  explicit room_limit(std::size_t lines) noexcept : lines_(lines) {}

  [[nodiscard]] std::size_t lines() const noexcept { return lines_; }

  /// How many lines of a room may be seen if `count` are asked for.
  [[nodiscard]] std::size_t seen(std::size_t count) const noexcept {
    return lines_ == 0 ? count : std::min(count, lines_);
  }

  /// To be called with what is added. Gives whether it is time to cut.
  [[nodiscard]] bool add(const std::vector<history_line>& lines) {
    if (lines_ == 0)
      return false;
    for (const history_line& l : lines)
      rooms_.insert(l.room);
    added_ += lines.size();
    return added_ >= lines_ / 10;
  }

  /// Those to be cut.
  [[nodiscard]] const std::set<std::string>& rooms() const noexcept { return rooms_; }

  /// They have been.
  void done() noexcept {
    rooms_.clear();
    added_ = 0;
  }

private:
  std::size_t lines_;
  std::size_t added_ = 0;
  std::set<std::string> rooms_; // that something was added to
};

} // namespace troupe::chat
