// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/chat/history.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

/// What holds for any store of a chat.
namespace troupe_test {

inline std::vector<troupe::chat::history_line> some_lines(int from, int to,
                                                          const std::string& room = "lobby") {
  std::vector<troupe::chat::history_line> lines;
  for (int i = from; i < to; ++i)
    lines.push_back({room, i, "ann", "line " + std::to_string(i) + std::string(100, '.')});
  return lines;
}

/// Of a store that is empty and keeps seven lines of a room.
inline troupe::task<> check_seven_lines(troupe::chat::history_store& store) {
  co_await store.append(some_lines(1, 3, "den"));
  co_await store.append(some_lines(1, 6));
  BOOST_TEST((co_await store.recent("lobby", 100) == some_lines(1, 6)));
  co_await store.append(some_lines(6, 20));
  BOOST_TEST((co_await store.recent("lobby", 100) == some_lines(13, 20)));
  BOOST_TEST((co_await store.recent("lobby", 2) == some_lines(18, 20)));
  co_await store.append(some_lines(20, 21));
  co_await store.append(some_lines(5, 15)); // old ones once more: they do not come back
  BOOST_TEST((co_await store.recent("lobby", 100) == some_lines(14, 21)));
  BOOST_TEST((co_await store.recent("den", 100) == some_lines(1, 3, "den"))); // no affair of this
}

} // namespace troupe_test
