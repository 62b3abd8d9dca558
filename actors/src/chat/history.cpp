// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/chat/history.hpp>
#include <troupe/time.hpp>

namespace troupe::chat {

task<> memory_history::append(std::vector<history_line> lines) {
  co_await checkpoint();
  for (history_line& l : lines) {
    auto& room = rooms_[l.room];
    room.emplace(l.id, std::move(l));
    if (room.size() > per_room_)
      room.erase(room.begin());
  }
}

task<std::vector<history_line>> memory_history::recent(std::string room, std::size_t count) {
  co_await checkpoint();
  std::vector<history_line> last;
  const auto found = rooms_.find(room);
  if (found == rooms_.end())
    co_return last;
  for (auto l = found->second.rbegin(); l != found->second.rend() && last.size() < count; ++l)
    last.push_back(l->second);
  co_return std::vector<history_line>(last.rbegin(), last.rend());
}

task<> memory_history::close() { co_return; }

} // namespace troupe::chat
