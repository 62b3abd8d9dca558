// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/chat/history.hpp>
#include <troupe/clock.hpp>
#include <troupe/thread_pool.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace troupe::chat {

/// How a `sqlite_history` uses its file.
struct sqlite_options {
  duration busy_limit = std::chrono::milliseconds(250); ///< how long a call waits for another
                                                        ///< process that has locked the file
  std::size_t max_pages = 0; ///< of the file, of 4096 bytes each; 0: as many as there is room for
  std::size_t per_room = 0;  ///< lines that are kept of each room, the last ones; 0: all
};

/// Keeps lines in a file by SQLite: in a write-ahead log that is synchronised with the disk at each
/// `append`, so that a line that is kept survives a crash of the program and of the machine.
///
/// With `per_room`, older lines are deleted, not at once: a tenth more may be in the file. It does
/// not shrink; what was deleted is room for what comes.
///
/// The file is made when it is first needed, and opened again when something was wrong with it.
/// All of SQLite runs on a thread of its own, no loop ever waits for the disk. For any loop.
class sqlite_history final : public history_store {
public:
  explicit sqlite_history(std::string path, const sqlite_options& options = {});
  ~sqlite_history() override;

  [[nodiscard]] task<> append(std::vector<history_line> lines) override;
  [[nodiscard]] task<std::vector<history_line>> recent(std::string room,
                                                       std::size_t count) override;
  [[nodiscard]] task<> close() override;
  [[nodiscard]] std::string name() const override;

private:
  class database;
  std::unique_ptr<database> database_;
  thread_pool thread_{1, {.name = "history"}};
};

} // namespace troupe::chat
