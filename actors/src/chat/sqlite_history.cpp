// SPDX-License-Identifier: BSD-3-Clause
#include "room_limit.hpp"

#include <troupe/chat/sqlite_history.hpp>
#include <troupe/thread.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace troupe::chat {

namespace {

struct finalize {
  void operator()(sqlite3_stmt* s) const noexcept { sqlite3_finalize(s); }
};
using statement = std::unique_ptr<sqlite3_stmt, finalize>;

} // namespace

/// All calls but the constructor on the thread of the store, one at a time.
class sqlite_history::database {
public:
  database(std::string path, const sqlite_options& options)
    : path_(std::move(path)), options_(options), limit_(options.per_room) {}
  database(const database&) = delete;
  database& operator=(const database&) = delete;
  ~database() { close(); }

  void append(const std::vector<history_line>& lines) {
    guarded("write to", [&] {
      const bool cut = limit_.add(lines);
      run("BEGIN IMMEDIATE");
      for (const history_line& l : lines) {
        bind(insert_.get(), 1, l.room);
        check(sqlite3_bind_int64(insert_.get(), 2, l.id));
        bind(insert_.get(), 3, l.nick);
        bind(insert_.get(), 4, l.text);
        step(insert_.get());
      }
      if (cut)
        for (const std::string& room : limit_.rooms()) {
          bind(delete_.get(), 1, room);
          check(sqlite3_bind_int64(delete_.get(), 2, static_cast<sqlite3_int64>(limit_.lines())));
          step(delete_.get());
        }
      run("COMMIT");
      if (cut)
        limit_.done();
    });
  }

  std::vector<history_line> recent(const std::string& room, std::size_t count) {
    std::vector<history_line> lines;
    guarded("read", [&] {
      lines.clear();
      bind(select_.get(), 1, room);
      check(sqlite3_bind_int64(select_.get(), 2, static_cast<sqlite3_int64>(limit_.seen(count))));
      while (sqlite3_step(select_.get()) == SQLITE_ROW)
        lines.push_back({room, sqlite3_column_int64(select_.get(), 0), text(1), text(2)});
      check(sqlite3_reset(select_.get())); // what step has said, too
    });
    std::reverse(lines.begin(), lines.end());
    return lines;
  }

  void close() noexcept {
    insert_.reset();
    select_.reset();
    delete_.reset();
    sqlite3_close(std::exchange(connection_, nullptr));
  }

  [[nodiscard]] std::string name() const { return "SQLite " + path_; }

private:
  struct failure {
    int code;
    std::string message;
  };

  /// Opens if need be and calls `body`; on failure, nothing is left half done.
  template <class Body>
  void guarded(std::string_view doing, const Body& body) {
    try {
      open();
      body();
    } catch (const failure& f) {
      if (connection_ && !sqlite3_get_autocommit(connection_))
        sqlite3_exec(connection_, "ROLLBACK", nullptr, nullptr, nullptr);
      // locked or full is the file's affair; else a new connection may do better
      if (f.code != SQLITE_BUSY && f.code != SQLITE_FULL)
        close();
      throw history_error("cannot " + std::string(doing) + " the history, " + name() + ": "
                          + f.message);
    }
  }

  void open() {
    if (connection_)
      return;
    check(sqlite3_open_v2(path_.c_str(), &connection_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                          nullptr));
    sqlite3_extended_result_codes(connection_, 0);
    sqlite3_busy_timeout(
      connection_,
      static_cast<int>(
        std::chrono::duration_cast<std::chrono::milliseconds>(options_.busy_limit).count()));
    run("PRAGMA journal_mode = WAL");
    run("PRAGMA synchronous = FULL"); // in a write-ahead log less is not durable
    if (options_.max_pages != 0)
      run("PRAGMA max_page_count = " + std::to_string(options_.max_pages));
    run("CREATE TABLE IF NOT EXISTS chat_lines (room TEXT NOT NULL, id INTEGER NOT NULL,"
        " nick TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (room, id)) WITHOUT ROWID");
    prepare(insert_, "INSERT OR IGNORE INTO chat_lines (room, id, nick, text) VALUES (?, ?, ?, ?)");
    prepare(select_,
            "SELECT id, nick, text FROM chat_lines WHERE room = ? ORDER BY id DESC LIMIT ?");
    prepare(delete_, "DELETE FROM chat_lines WHERE room = ?1 AND id <= (SELECT id FROM chat_lines"
                     " WHERE room = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)");
  }

  void run(const std::string& sql) {
    check(sqlite3_exec(connection_, sql.c_str(), nullptr, nullptr, nullptr));
  }

  void prepare(statement& into, std::string_view sql) {
    sqlite3_stmt* s = nullptr;
    check(sqlite3_prepare_v2(connection_, sql.data(), static_cast<int>(sql.size()), &s, nullptr));
    into.reset(s);
  }

  void bind(sqlite3_stmt* s, int index, const std::string& text) {
    check(sqlite3_bind_text(s, index, text.data(), static_cast<int>(text.size()), SQLITE_STATIC));
  }

  void step(sqlite3_stmt* s) {
    sqlite3_step(s);
    check(sqlite3_reset(s));
  }

  std::string text(int column) {
    const auto* bytes = static_cast<const char*>(
      static_cast<const void*>(sqlite3_column_text(select_.get(), column)));
    return bytes ? std::string(
             bytes, static_cast<std::size_t>(sqlite3_column_bytes(select_.get(), column)))
                 : std::string();
  }

  void check(int code) const {
    if (code == SQLITE_OK)
      return;
    throw failure{code, connection_ ? sqlite3_errmsg(connection_) : sqlite3_errstr(code)};
  }

  std::string path_;
  sqlite_options options_;
  sqlite3* connection_ = nullptr;
  statement insert_;
  statement select_;
  statement delete_;
  room_limit limit_;
};

sqlite_history::sqlite_history(std::string path, const sqlite_options& options)
  : database_(std::make_unique<database>(std::move(path), options)) {}

sqlite_history::~sqlite_history() { thread_.close(); }

task<> sqlite_history::append(std::vector<history_line> lines) {
  thread_options here;
  here.pool = &thread_;
  here.name = "history";
  const auto call = [this, &lines] { database_->append(lines); };
  co_await to_thread(here, call);
}

task<std::vector<history_line>> sqlite_history::recent(std::string room, std::size_t count) {
  thread_options here;
  here.pool = &thread_;
  here.name = "history";
  const auto call = [this, &room, count] { return database_->recent(room, count); };
  co_return co_await to_thread(here, call);
}

task<> sqlite_history::close() {
  thread_options here;
  here.pool = &thread_;
  here.name = "history";
  const auto call = [this] { database_->close(); };
  co_await to_thread(here, call);
}

std::string sqlite_history::name() const { return database_->name(); }

} // namespace troupe::chat
