// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/chat/history.hpp>
#include <troupe/chat/sqlite_history.hpp>
#ifdef TROUPE_CHAT_POSTGRES
#include <troupe/chat/postgres_history.hpp>
#endif

namespace troupe::chat {

std::unique_ptr<history_store> open_history(const std::string& where, std::size_t per_room) {
  if (!where.starts_with("postgresql://") && !where.starts_with("postgres://"))
    return std::make_unique<sqlite_history>(where, sqlite_options{.per_room = per_room});
#ifdef TROUPE_CHAT_POSTGRES
  return std::make_unique<postgres_history>(where, per_room);
#else
  throw history_error("this was built without PostgreSQL (libpq-dev)");
#endif
}

} // namespace troupe::chat
