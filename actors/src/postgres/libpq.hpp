// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/postgres/connection.hpp>

#include <libpq-fe.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::postgres {

struct finishes {
  void operator()(PGconn* c) const noexcept { PQfinish(c); }
};
using connection_handle = std::unique_ptr<PGconn, finishes>;

/// What asks a server to stop a statement: libpq's own way to ask would block.
struct cancel_key {
  int backend;
  int secret;
};

/// What a server has said in an error, and all of it in a sentence.
[[nodiscard]] error::parts parts_of(const PGresult* r);
[[nodiscard]] std::string sentence(std::string_view name, const PGresult* r);

/// libpq's messages end in a line end, and have several lines.
[[nodiscard]] std::string one_line(std::string_view text);

struct connection::state {
  state(connection_handle c, connection_options o, std::string n, std::optional<cancel_key> k);
  state(const state&) = delete;
  state& operator=(const state&) = delete;
  ~state() = default;

  /// For as long as a task uses it.
  class use {
  public:
    /// Throws `usage_error` if another task does, `connection_error` if it is broken.
    explicit use(state& s);
    use(const use&) = delete;
    use& operator=(const use&) = delete;
    ~use() { state_.busy = false; }

  private:
    state& state_;
  };

  [[noreturn]] void lost(std::string_view what, const PGresult* last_words = nullptr);

  /// Reads what has arrived. Throws `connection_error`.
  void consume(const PGresult* last_words = nullptr);

  /// Sends what libpq has to send. A checkpoint where it waits.
  task<> flush();
  /// The results up to the last one. A checkpoint where it waits. `over`: nothing runs any more.
  task<result> collect(bool& over);
  /// Ends a statement that was cancelled. Never fails.
  task<> stop();
  task<> ask_to_stop() const;

  connection_handle conn;
  connection_options options;
  std::string name;
  std::optional<cancel_key> key;
  std::string broken; // why
  bool busy = false;
};

} // namespace troupe::postgres
