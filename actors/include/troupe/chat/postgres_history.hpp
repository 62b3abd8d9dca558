// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/chat/history.hpp>
#include <troupe/mutex.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace troupe::chat {

/// Keeps lines in a PostgreSQL database, in the table `chat_lines`, which is made if there is none:
/// one statement, and so one commit, for each `append`. Connects when it is first needed, and again
/// when a connection has broken; one is for writing, one for reading. Without `libpq-dev` it is not
/// there. For one loop.
class postgres_history final : public history_store {
public:
  /// `where`: "postgresql://user:password@host/database", or as libpq takes it. `per_room`: lines
  /// that are kept of each room, the last ones; 0: all. Older ones are deleted, not at once: a
  /// tenth more may be in the table.
  explicit postgres_history(std::string where, std::size_t per_room = 0);
  ~postgres_history() override;

  [[nodiscard]] task<> append(std::vector<history_line> lines) override;
  [[nodiscard]] task<std::vector<history_line>> recent(std::string room,
                                                       std::size_t count) override;
  [[nodiscard]] task<> close() override;
  [[nodiscard]] std::string name() const override { return "PostgreSQL"; }

private:
  struct link;

  std::string where_;
  std::unique_ptr<link> writing_;
  std::unique_ptr<link> reading_;
};

} // namespace troupe::chat
