// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/event.hpp>
#include <troupe/nursery.hpp>
#include <troupe/redis/connection.hpp>
#include <troupe/semaphore.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace troupe::redis {

/// One connection that many tasks share: their commands go out together, without waiting for
/// each other's replies, which come back in order. See `with_client`.
///
/// All members are for the loop of the connection. Commands that change the state of the
/// connection (`subscribe`, `multi`, `select`), or block (`blpop`), concern all who share it: give
/// them a connection of their own.
class client {
public:
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  /// Sends one command and gives its reply. A checkpoint; cancelled, its reply is dropped when it
  /// comes, and the others go on; the server may have done it. Throws `redis::error` if that is
  /// what the server answers, and what the connection has failed with, ever after.
  template <class... Args>
    requires(sizeof...(Args) > 0)
  [[nodiscard]] task<reply> command(Args&&... args) {
    batch b;
    b.add(std::forward<Args>(args)...);
    return run_one(std::move(b));
  }

  /// Sends all commands of a batch, next to each other, and gives their replies; errors are among
  /// them. A checkpoint, as `command`.
  [[nodiscard]] task<std::vector<reply>> run(batch commands);

  /// How many replies are missing.
  [[nodiscard]] std::size_t pending() const noexcept { return asked_.size(); }

  /// For `with_client`. Checkpoints.
  client(connection over, std::size_t max_pending);
  task<> write();
  task<> read();

private:
  struct waiting;
  struct asked {
    waiting* who; // null: it was cancelled
    semaphore::permit permit;
  };

  task<reply> run_one(batch b);
  void fail(const std::exception_ptr& why) noexcept;
  void deliver(reply r);

  connection over_;
  semaphore room_;
  std::deque<asked> asked_;   // those whose replies are missing, in their order
  std::uint64_t first_ = 0;   // the number of the first of them
  std::string out_;           // what is to be written
  std::optional<event> work_; // there is something in it
  std::exception_ptr failure_;
};

/// How a client works.
struct client_options {
  std::size_t max_pending = 10'000; ///< so many commands or batches unanswered, and others wait
};

namespace detail {

template <class Body>
task<typename std::invoke_result_t<Body&, client&>::value_type>
run_client(connection over, client_options options, Body body) {
  using value = typename std::invoke_result_t<Body&, client&>::value_type;
  client shared(std::move(over), options.max_pending);
  co_return co_await with_nursery([&](nursery& n) -> task<value> {
    n.start_service(named("redis writer", [&]() { return shared.write(); }));
    n.start_service(named("redis reader", [&]() { return shared.read(); }));
    co_return co_await std::invoke(body, shared);
  });
}

} // namespace detail

/// Runs `body(client)`, a coroutine, with a connection that its tasks share; closes it at the end.
///
///     co_await with_client(co_await redis::open_connection(url), [](redis::client& db) -> task<> {
///       co_await gather(count(db, "a"), count(db, "b")); // one round trip for both
///     });
///
/// Gives the body's value. Throws what the body throws; that the connection has failed is thrown
/// where it is used. Not a checkpoint by itself.
template <class Body>
[[nodiscard]] auto with_client(connection over, client_options options, Body&& body) {
  troupe::detail::check_awaited_arguments<Body>();
  return detail::run_client<std::decay_t<Body>>(std::move(over), options, std::forward<Body>(body));
}
template <class Body>
[[nodiscard]] auto with_client(connection over, Body&& body) {
  return with_client(std::move(over), client_options{}, std::forward<Body>(body));
}

} // namespace troupe::redis
