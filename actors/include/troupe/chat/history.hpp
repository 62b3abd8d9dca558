// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/task.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace troupe::chat {

/// A line that was said in a room.
struct history_line {
  std::string room;
  std::int64_t id = 0; ///< microseconds since 1970, growing within the room: its name and its place
  std::string nick;
  std::string text;

  friend bool operator==(const history_line&, const history_line&) = default;
};

/// The store cannot do what was asked right now. The message names the store and the cause.
class history_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Where the lines of a chat are kept, those that are said in rooms: what is said to one alone is
/// kept nowhere, as on IRC. A service calls it from one loop, one `append` at a time,
/// and tries again when one has failed, or was cut off because it took too long: a store finds its
/// way back by itself (opens anew, connects anew) when it is called again. `recent` may be called
/// while `append` runs, and for several rooms at a time.
class history_store {
public:
  history_store() = default;
  history_store(const history_store&) = delete;
  history_store& operator=(const history_store&) = delete;
  virtual ~history_store() = default;

  /// Keeps all lines, or throws `history_error` and has kept none, some or all. When it returns
  /// they survive whatever happens to the process. A line that is there already, by its room and
  /// id, is left as it is. A checkpoint; cancelled, as if it had failed.
  [[nodiscard]] virtual task<> append(std::vector<history_line> lines) = 0;

  /// The last `count` lines of a room, in their order. Throws `history_error`. A checkpoint.
  [[nodiscard]] virtual task<std::vector<history_line>> recent(std::string room,
                                                               std::size_t count) = 0;

  /// Lets go of what is open; the next call opens it again. A checkpoint if it has to wait.
  /// Throws nothing.
  [[nodiscard]] virtual task<> close() = 0;

  /// For messages: "SQLite chat.db".
  [[nodiscard]] virtual std::string name() const = 0;
};

/// Keeps lines in memory, for as long as it lives: for tests, and for a chat without a past.
class memory_history final : public history_store {
public:
  /// Keeps the last `per_room` lines of each room.
  explicit memory_history(std::size_t per_room = 1000) noexcept : per_room_(per_room) {}

  [[nodiscard]] task<> append(std::vector<history_line> lines) override;
  [[nodiscard]] task<std::vector<history_line>> recent(std::string room,
                                                       std::size_t count) override;
  [[nodiscard]] task<> close() override;
  [[nodiscard]] std::string name() const override { return "memory"; }

private:
  std::size_t per_room_;
  std::map<std::string, std::map<std::int64_t, history_line>> rooms_;
};

/// The store at `where`: "postgresql://..." or "postgres://..." is a database, all else a file of
/// SQLite's. It keeps the last `per_room` lines of each room; 0: all. Throws `history_error` if
/// this library was built without PostgreSQL. Not a checkpoint: nothing is opened yet.
[[nodiscard]] std::unique_ptr<history_store> open_history(const std::string& where,
                                                          std::size_t per_room = 0);

} // namespace troupe::chat
