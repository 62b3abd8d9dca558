// SPDX-License-Identifier: BSD-3-Clause
#include "libpq.hpp"

#include <troupe/cleanup.hpp>
#include <troupe/error.hpp>
#include <troupe/race.hpp>
#include <troupe/readiness.hpp>
#include <troupe/time.hpp>

#include <poll.h>

#include <array>
#include <exception>

namespace troupe::postgres {

// -- what both sides of a statement share ---------------------------------------------

connection::state::state(connection_handle c, connection_options o, std::string n,
                         std::optional<cancel_key> k)
  : conn(std::move(c)), options(std::move(o)), name(std::move(n)), key(k) {
  PQsetNoticeReceiver(
    conn.get(),
    [](void* self, const PGresult* r) {
      const auto& hears = static_cast<state*>(self)->options.on_notice;
      if (hears)
        hears(one_line(PQresultErrorMessage(r)));
    },
    this);
}

connection::state::use::use(state& s) : state_(s) {
  if (s.busy)
    throw usage_error("troupe: two tasks use one connection at a time: " + s.name);
  if (!s.broken.empty())
    throw connection_error(s.name + ": the connection is broken: " + s.broken);
  s.busy = true;
}

void connection::state::lost(std::string_view what, const PGresult* last_words) {
  const std::string said = one_line(PQerrorMessage(conn.get()));
  broken = std::string(what) + (said.empty() ? "" : ": " + said);
  if (last_words)
    throw connection_error(sentence(name, last_words), parts_of(last_words));
  throw connection_error(name + ": " + broken);
}

void connection::state::consume(const PGresult* last_words) {
  if (!PQconsumeInput(conn.get()))
    lost("the connection is lost", last_words);
}

task<> connection::state::flush() {
  for (;;) {
    const int left = PQflush(conn.get());
    if (left == 0)
      co_return;
    if (left < 0)
      lost("cannot send");
    const int fd = PQsocket(conn.get());
    co_await race(wait_readable(fd), wait_writable(fd)); // it may not read before we do
    consume();
  }
}

task<result> connection::state::collect(bool& over) {
  result last(nullptr);
  result failed(nullptr);
  for (;;) {
    while (PQisBusy(conn.get())) {
      co_await wait_readable(PQsocket(conn.get()));
      consume(failed.raw());
    }
    result r(PQgetResult(conn.get()));
    if (!r.raw())
      break;
    switch (PQresultStatus(r.raw())) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY: last = std::move(r); break;
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH: lost("COPY is not supported");
    default: failed = std::move(r);
    }
  }
  over = true;
  if (failed.raw()) {
    if (PQstatus(conn.get()) == CONNECTION_BAD)
      lost("the connection is lost", failed.raw());
    throw error(sentence(name, failed.raw()), parts_of(failed.raw()));
  }
  co_return last;
}

task<> connection::state::stop() {
  if (!broken.empty())
    co_return;
  bool over = false;
  try {
    co_await move_on_after(options.cancel_limit, [&]() -> task<> {
      co_await ask_to_stop();
      static_cast<void>(co_await collect(over));
    });
  } catch (const error&) { // NOLINT(bugprone-empty-catch): that it was cancelled, most likely
  } catch (const std::exception& e) {
    broken = e.what();
  }
  if (!over && broken.empty())
    broken = "a statement was cancelled and did not stop";
}

// -- statements -------------------------------------------------------------------------

template <class Send>
task<result> connection::run(Send send) {
  state& s = *state_;
  const state::use in_use(s);
  if (is_cancelled())
    co_await checkpoint(); // and no further
  bool over = false;
  co_return co_await with_cleanup(
    [&]() -> task<result> {
      if (!send(s.conn.get()))
        s.lost("cannot send");
      co_await s.flush();
      co_return co_await s.collect(over);
    },
    [&]() -> task<> {
      if (!over)
        co_await s.stop();
    },
    duration::max()); // `stop` has its own limit
}

task<result> connection::query_with(std::string sql, std::vector<parameter> parameters) {
  std::vector<const char*> values;
  std::vector<int> lengths;
  std::vector<int> formats;
  for (const parameter& p : parameters) {
    values.push_back(p.is_null() ? nullptr : p.text().c_str());
    lengths.push_back(p.is_null() ? 0 : static_cast<int>(p.text().size()));
    formats.push_back(p.is_binary() ? 1 : 0);
  }
  const auto send = [&](PGconn* c) {
    return PQsendQueryParams(c, sql.c_str(), static_cast<int>(values.size()), nullptr,
                             values.data(), lengths.data(), formats.data(), 0);
  };
  co_return co_await run(std::cref(send));
}

task<result> connection::execute(std::string sql) {
  const auto send = [&](PGconn* c) { return PQsendQuery(c, sql.c_str()); };
  co_return co_await run(std::cref(send));
}

task<> connection::ping() { static_cast<void>(co_await execute("")); }

task<notification> connection::next_notification() {
  state& s = *state_;
  const state::use in_use(s);
  struct frees {
    void operator()(PGnotify* n) const noexcept { PQfreemem(n); }
  };
  co_await checkpoint();
  for (;;) {
    if (const std::unique_ptr<PGnotify, frees> n{PQnotifies(s.conn.get())}) {
      notification got;
      got.channel = n->relname;
      got.payload = n->extra;
      got.sender = n->be_pid;
      co_return got;
    }
    co_await wait_readable(PQsocket(s.conn.get()));
    s.consume();
  }
}

// -- the connection itself ----------------------------------------------------------------

connection::connection(std::unique_ptr<state> s) noexcept : state_(std::move(s)) {}
connection::connection(connection&& other) noexcept = default;
connection& connection::operator=(connection&& other) noexcept {
  state_.swap(other.state_);
  return *this;
}
connection::~connection() = default;

bool connection::usable() noexcept {
  state& s = *state_;
  if (s.busy || !s.broken.empty())
    return false;
  PGconn* const c = s.conn.get();
  // the last words of a server, and then its end
  for (int i = 0; i < 4; ++i) {
    pollfd p{PQsocket(c), POLLIN, 0};
    if (::poll(&p, 1, 0) <= 0)
      break;
    if (!PQconsumeInput(c)) {
      give_up("the server has closed it");
      return false;
    }
    static_cast<void>(PQisBusy(c)); // reads the words
  }
  return PQstatus(c) == CONNECTION_OK && PQtransactionStatus(c) == PQTRANS_IDLE;
}

bool connection::in_transaction() const noexcept {
  const auto s = PQtransactionStatus(state_->conn.get());
  return s == PQTRANS_INTRANS || s == PQTRANS_INERROR || s == PQTRANS_ACTIVE;
}

void connection::give_up(std::string_view why) noexcept {
  try {
    if (state_->broken.empty())
      state_->broken = why;
  } catch (const std::bad_alloc&) {
    state_->broken = "?"; // fits without memory
  }
}

const std::string& connection::name() const noexcept { return state_->name; }

int connection::backend() const noexcept { return PQbackendPID(state_->conn.get()); }

std::string connection::parameter_status(const std::string& parameter) const {
  const char* const s = PQparameterStatus(state_->conn.get(), parameter.c_str());
  return s ? s : "";
}

const connection_options& connection::options() const noexcept { return state_->options; }

} // namespace troupe::postgres
