// SPDX-License-Identifier: BSD-3-Clause
#include "room_limit.hpp"

#include <troupe/chat/postgres_history.hpp>
#include <troupe/postgres/connection.hpp>
#include <troupe/time.hpp>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

namespace troupe::chat {

namespace {

/// The elements of an array, as PostgreSQL reads it.
void append_element(std::string& array, std::string_view text) {
  array += array.empty() ? "{\"" : ",\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      array += '\\';
    array += c;
  }
  array += '"';
}

} // namespace

struct postgres_history::link {
  explicit link(std::size_t per_room) noexcept : limit(per_room) {}

  /// A connection that can be used, and the table. A checkpoint.
  task<postgres::connection*> open(std::string where) {
    if (!connection || !connection->usable()) {
      connection.reset();
      postgres::connection fresh = co_await postgres::open_connection(std::move(where));
      static_cast<void>(co_await fresh.execute(
        "SET client_min_messages = warning;"
        "CREATE TABLE IF NOT EXISTS chat_lines (room text NOT NULL, id bigint NOT NULL,"
        " nick text NOT NULL, text text NOT NULL, PRIMARY KEY (room, id))"));
      connection.emplace(std::move(fresh));
    }
    co_return &*connection;
  }

  /// Deletes what is older than the last lines of the rooms that something was added to.
  task<> cut() {
    std::string rooms;
    for (const std::string& room : limit.rooms())
      append_element(rooms, room);
    rooms += '}';
    static_cast<void>(co_await connection->query(
      "DELETE FROM chat_lines l USING (SELECT room, (SELECT id FROM chat_lines WHERE room = r.room"
      " ORDER BY id DESC OFFSET $2::bigint LIMIT 1) AS id FROM unnest($1::text[]) AS r (room)"
      " OFFSET 0) last WHERE l.room = last.room AND l.id <= last.id",
      rooms, limit.lines()));
    limit.done();
  }

  mutex turns; // one call at a time
  room_limit limit;
  std::optional<postgres::connection> connection;
};

postgres_history::postgres_history(std::string where, std::size_t per_room)
  : where_(std::move(where)), writing_(std::make_unique<link>(per_room)),
    reading_(std::make_unique<link>(per_room)) {}

postgres_history::~postgres_history() = default;

task<> postgres_history::append(std::vector<history_line> lines) {
  std::string rooms, ids, nicks, texts;
  for (const history_line& l : lines) {
    append_element(rooms, l.room);
    append_element(ids, std::to_string(l.id));
    append_element(nicks, l.nick);
    append_element(texts, l.text);
  }
  if (lines.empty())
    co_return co_await checkpoint();
  for (std::string* array : {&rooms, &ids, &nicks, &texts})
    *array += '}';
  std::string why;
  try {
    const auto turn = co_await writing_->turns.lock();
    postgres::connection* db = co_await writing_->open(where_);
    static_cast<void>(co_await db->query("INSERT INTO chat_lines SELECT * FROM unnest($1::text[], "
                                         "$2::bigint[], $3::text[], $4::text[])"
                                         " ON CONFLICT DO NOTHING",
                                         rooms, ids, nicks, texts));
    if (writing_->limit.add(lines))
      co_await writing_->cut();
  } catch (const std::exception& e) {
    why = e.what();
  }
  if (!why.empty())
    throw history_error("cannot write to the history, " + name() + ": " + why);
}

task<std::vector<history_line>> postgres_history::recent(std::string room, std::size_t count) {
  std::vector<history_line> lines;
  std::string why;
  try {
    const auto turn = co_await reading_->turns.lock();
    postgres::connection* db = co_await reading_->open(where_);
    const postgres::result rows = co_await db->query(
      "SELECT id, nick, text FROM chat_lines WHERE room = $1 ORDER BY id DESC LIMIT $2::bigint",
      room, reading_->limit.seen(count));
    for (const postgres::row row : rows)
      lines.push_back(
        {room, row[0].get<std::int64_t>(), row[1].get<std::string>(), row[2].get<std::string>()});
  } catch (const std::exception& e) {
    why = e.what();
  }
  if (!why.empty())
    throw history_error("cannot read the history, " + name() + ": " + why);
  std::reverse(lines.begin(), lines.end());
  co_return lines;
}

task<> postgres_history::close() {
  writing_->connection.reset();
  reading_->connection.reset();
  co_return;
}

} // namespace troupe::chat
