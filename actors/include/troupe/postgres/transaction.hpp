// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/cleanup.hpp>
#include <troupe/postgres/connection.hpp>

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace troupe::postgres {

/// What a transaction sees of others.
enum class isolation { server_default, read_committed, repeatable_read, serializable };

/// How a transaction is begun.
struct transaction_options {
  postgres::isolation isolation = isolation::server_default;
  bool read_only = false;
};

namespace detail {

task<> begin(connection& db, transaction_options options);
task<> commit(connection& db);
/// Never fails: a connection that cannot roll back is given up.
task<> roll_back_if_open(connection& db);

template <class Body>
task<typename std::invoke_result_t<Body&>::value_type>
run_transaction(connection& db, transaction_options options, Body body) {
  using value = typename std::invoke_result_t<Body&>::value_type;
  co_return co_await with_cleanup(
    [&]() -> task<value> {
      co_await begin(db, options);
      if constexpr (std::is_void_v<value>) {
        co_await std::invoke(body);
        co_await commit(db);
      } else {
        value v = co_await std::invoke(body);
        co_await commit(db);
        co_return v;
      }
    },
    [&]() -> task<> { co_await roll_back_if_open(db); }, duration::max());
}

} // namespace detail

/// Runs `body()`, a coroutine, in a transaction: committed when it returns, rolled back when it
/// throws or is cancelled. Gives the body's value.
///
///     co_await with_transaction(db, [&]() -> task<> {
///       co_await db.query("update account set money = money - $1 where id = $2", 10, from);
///       co_await db.query("update account set money = money + $1 where id = $2", 10, to);
///     });
///
/// A checkpoint; cancelled while it commits, it may or may not have. Throws what the body throws,
/// and `error`: also if a statement of the body has failed and the body has caught that, since
/// the server commits nothing then. `sqlstate::serialization_failure` and `deadlock_detected` ask
/// for another try.
template <class Body>
[[nodiscard]] auto with_transaction(connection& db, transaction_options options, Body&& body) {
  troupe::detail::check_awaited_arguments<Body>();
  return detail::run_transaction<std::decay_t<Body>>(db, options, std::forward<Body>(body));
}
template <class Body>
[[nodiscard]] auto with_transaction(connection& db, Body&& body) {
  return with_transaction(db, transaction_options{}, std::forward<Body>(body));
}

} // namespace troupe::postgres
