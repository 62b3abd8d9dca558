// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/postgres/transaction.hpp>

#include <troupe/cancel_scope.hpp>

namespace troupe::postgres::detail {

task<> begin(connection& db, transaction_options options) {
  std::string sql = "begin";
  switch (options.isolation) {
  case isolation::server_default: break;
  case isolation::read_committed: sql += " isolation level read committed"; break;
  case isolation::repeatable_read: sql += " isolation level repeatable read"; break;
  case isolation::serializable: sql += " isolation level serializable"; break;
  }
  if (options.read_only)
    sql += " read only";
  static_cast<void>(co_await db.execute(std::move(sql)));
}

task<> commit(connection& db) {
  const result r = co_await db.execute("commit");
  if (r.command() != "COMMIT")
    throw error(db.name()
                + ": the transaction was rolled back, as one of its statements has failed");
}

task<> roll_back_if_open(connection& db) {
  if (!db.in_transaction())
    co_return;
  bool done = false;
  try {
    co_await move_on_after(db.options().cancel_limit, [&]() -> task<> {
      static_cast<void>(co_await db.execute("rollback"));
      done = true;
    });
  } catch (const std::exception&) { // NOLINT(bugprone-empty-catch): nothing is committed
  }
  if (!done)
    db.give_up("a transaction could not be rolled back");
}

} // namespace troupe::postgres::detail
