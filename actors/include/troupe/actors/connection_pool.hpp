// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/connection_limit.hpp>
#include <troupe/actors/detail/limited_pool.hpp>
#include <troupe/cancel_scope.hpp>
#include <troupe/task.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace troupe {

/// How a connection pool works. Give a variable: g++ 12 destroys braced temporaries in an await
/// twice.
struct connection_pool_options {
  std::string name = "connection pool";           ///< for messages and the task tree
  std::size_t max = 10;                           ///< connections, lent ones and idle ones together
  std::size_t min = 0;                            ///< so many are there before they are asked for
  duration idle_limit = std::chrono::minutes(10); ///< idle for so long, one beyond `min` is closed
  duration max_age = duration::max();             ///< one that is older is not lent again
  duration check_after = std::chrono::seconds(1); ///< idle for so long, one is checked before it
                                                  ///< is lent
  duration check_every = std::chrono::seconds(30); ///< and while it is idle
  duration open_limit = std::chrono::seconds(30);  ///< opening one may take so long
  duration check_limit = std::chrono::seconds(5);  ///< and a check; then it is not good
  duration close_limit = std::chrono::seconds(1);  ///< and a goodbye; then it is cut off
  connection_limit* shared = nullptr;              ///< a bound for this and other pools together
};

struct connection_pool_statistics {
  std::size_t lent;
  std::size_t idle;
  std::size_t opening;
  std::size_t waiting;  ///< tasks that wait for a connection
  std::uint64_t opened; ///< so far
  std::uint64_t reused; ///< lent again
  std::uint64_t broken; ///< that have not passed their check, or were discarded
  std::uint64_t open_errors;
};

namespace pools {

template <class T>
class connection_core;

template <class T>
struct connection {
  T value;
  time_point opened;
  time_point last_used;
  std::uint64_t generation;
  bool retired = false; // not to be lent again
};

} // namespace pools

/// A connection that is lent. Its end gives it back, unless it was discarded or retired, or is too
/// old. When an exception or a cancellation is on its way, nobody knows what state it is in, and it
/// is not given back either; if the pool can ask (`connection_functions::usable`), that says it
/// instead.
template <class T>
class lease {
public:
  lease(lease&& other) noexcept = default;
  lease& operator=(lease&& other) noexcept {
    std::swap(pool_, other.pool_);
    connection_.swap(other.connection_);
    std::swap(right_, other.right_);
    std::swap(exceptions_, other.exceptions_);
    std::swap(cancelled_before_, other.cancelled_before_);
    std::swap(discarded_, other.discarded_);
    return *this;
  }
  ~lease();

  [[nodiscard]] T& operator*() noexcept { return connection_->value; }
  [[nodiscard]] T* operator->() noexcept { return &connection_->value; }

  /// It is broken, or in the middle of something: closed instead of given back.
  void discard() noexcept { discarded_ = true; }

  /// It is sound, but not to be lent again: it is told so (`connection_functions::close`) and
  /// closed, as one that is too old.
  void retire() noexcept { connection_->retired = true; }

private:
  friend class pools::connection_core<T>;
  using holder = std::unique_ptr<pools::connection<T>>;
  lease(pools::connection_core<T>& p, holder c, pools::connection_right right) noexcept
    : pool_(&p), connection_(std::move(c)), right_(std::move(right)) {}

  pools::connection_core<T>* pool_;
  holder connection_; // null when moved from
  pools::connection_right right_;
  int exceptions_ = std::uncaught_exceptions();
  bool cancelled_before_ = is_cancelled(); // nothing can have been awaited with it then
  bool discarded_ = false;
};

/// Connections, or anything else that is costly to make, which are lent one task at a time. Who
/// waits gets one in the order of asking.
///
/// All members are for the loop of the pool. See `with_connection_pool`.
template <class T>
class connection_pool {
public:
  connection_pool(const connection_pool&) = delete;
  connection_pool& operator=(const connection_pool&) = delete;

  /// Lends a connection: the one that was used last, if it is usable and passes its check, or a
  /// new one; waits while all are lent. Throws what opening throws, `timeout_error` after `limit`,
  /// or if opening takes longer than it may. A checkpoint; cancelled, none was lent.
  [[nodiscard]] task<lease<T>> borrow(duration limit = duration::max());

  /// Closes all that are idle, and lets those that are lent be closed when they come back: for
  /// when the other side is known to have gone. Not a checkpoint.
  void close_all() noexcept;

  [[nodiscard]] connection_pool_statistics statistics() const noexcept;

  /// For `with_connection_pool`.
  explicit connection_pool(pools::connection_core<T>& core) noexcept : core_(core) {}

private:
  pools::connection_core<T>& core_;
};

/// What a pool does with its connections: coroutines, but for `usable`.
template <class T>
struct connection_functions {
  std::function<task<T>()> open;            ///< makes one
  std::function<task<bool>(T&)> check = {}; ///< whether one is still good; may throw if not
  /// The same as far as it is known without waiting: asked each time before one is lent, and when
  /// it comes back, however that is. Must not throw.
  std::function<bool(T&)> usable = {};
  /// Says goodbye to one that was good and idle when it is closed: it is old, or was idle for too
  /// long, or the pool ends. Nobody waits for it but the end of the pool, and it does not count as
  /// a connection any more. What it throws is dropped.
  std::function<task<>(T&)> close = {};
};

/// Runs `body(pool)`, a coroutine, with a pool; when it ends, all connections are closed. Gives the
/// body's value. All that was lent must have come back by then.
///
///     connection_functions<tcp_stream> functions;
///     functions.open = [] { return open_tcp_stream("db.example", 5432); };
///     co_await with_connection_pool(options, functions, [&](connection_pool<tcp_stream>& pool) ->
///     task<> {
///       auto db = co_await pool.borrow();
///       co_await db->write_all("...");
///     });
///
/// A checkpoint.
template <std::movable T, class Body>
[[nodiscard]] auto with_connection_pool(const connection_pool_options& options,
                                        const connection_functions<T>& functions, Body&& body);

} // namespace troupe

#include <troupe/actors/detail/connection_pool_impl.hpp>
