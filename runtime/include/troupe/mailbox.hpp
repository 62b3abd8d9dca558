// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/detail/caf/handlers.hpp>
#include <troupe/detail/caf/mailbox_wait.hpp>
#include <troupe/task.hpp>

#include <caf/actor.hpp>

#include <cstddef>
#include <cstdint>

namespace troupe {

/// What a bounded mailbox does with a message that finds it full. Control
/// messages (exit, down, answers) are never kept out.
enum class when_full {
  wait,        ///< `send_when_room` waits; other messages are rejected, requests let in
  reject,      ///< a request is answered by `mailbox_full`
  drop_oldest, ///< the oldest of the lowest priority makes room
  drop_newest, ///< the one that comes is dropped
};

/// How many coroutines of `mailbox::serve` may run at a time.
struct concurrent {
  std::size_t limit;
};

/// Where the messages to a task wait: the receiving side of an actor.
///
///     task<> counter(mailbox& in) {
///       int total = 0;
///       co_await in.serve([&](add msg) { total += msg.by; },
///                         [&](get) -> int { return total; });
///     }
///
/// Messages of one sender and priority arrive in the order they were sent. First
/// come control messages (`caf::down_msg`, `caf::exit_msg` if it is trapped), then
/// urgent ones, then the others. What is left when the task ends is not lost in
/// silence: requests are answered by `actor_down`, the rest goes to the dead letters.
///
/// A handler is a function of the values it wants: `(add)`, `(const add&)`, `(int,
/// std::string)`; one that takes a `caf::message` gets anything. The first that fits
/// is called. What it returns is the answer: a value, a `std::tuple` of several, a
/// `caf::message`, a `caf::error`, or nothing; a coroutine answers with its result.
/// When a handler throws, the one who asked gets the error, and the exception goes
/// on to the task that serves.
///
/// A mailbox belongs to a task and its loop. After Erlang's `receive` and OTP's
/// gen_server, and CAF's behaviors.
class mailbox {
public:
  explicit mailbox(detail::task_actor& owner) noexcept : owner_(&owner) {}
  mailbox(const mailbox&) = delete;
  mailbox& operator=(const mailbox&) = delete;

  /// Waits for a message that one of the handlers takes, and handles it. Others stay
  /// where they are. A checkpoint. Throws what the handler throws, `usage_error` if
  /// another task is receiving.
  template <class... Handlers>
    requires(!detail::begins_with_time<Handlers...>)
  [[nodiscard]] task<> receive(Handlers&&... handlers);

  /// As above, but for `timeout` at most. Gives false if nothing has come. A checkpoint.
  template <class... Handlers>
  [[nodiscard]] task<bool> receive(duration timeout, Handlers&&... handlers);

  /// Waits for a message that consists of one `T`, and gives it. One that was a request
  /// is answered with nothing. A checkpoint.
  template <class T>
  [[nodiscard]] task<T> receive();

  /// Handles messages one after the other until the task is cancelled or `close` is
  /// called. A message without a handler is answered by `unexpected_message`, or goes to
  /// the dead letters. A checkpoint.
  template <class... Handlers>
  [[nodiscard]] task<> serve(Handlers&&... handlers);

  /// As above, but up to `at_once.limit` handlers that are coroutines run at a time,
  /// each as a task of its own. The next message waits until there is room. A checkpoint.
  template <class... Handlers>
  [[nodiscard]] task<> serve(concurrent at_once, Handlers&&... handlers);

  /// Makes `serve` return when it has handled what it is handling. From a handler, or
  /// from another task on this loop.
  void close() noexcept;

  /// From now on at most `capacity` messages wait here, control messages not counted.
  void bound(std::size_t capacity, when_full policy) noexcept;

  /// Exit messages are received (`caf::exit_msg`) instead of cancelling the task. One
  /// with `exit_reason::kill` cancels it all the same.
  void trap_exit(bool on) noexcept;

  /// Waits until the mailbox is full and a message is dropped or refused. For whoever
  /// wants to give up then. A checkpoint. One task at a time.
  [[nodiscard]] auto overflow() noexcept { return detail::overflow_wait(*owner_); }

  struct statistics_type {
    std::size_t size;       ///< messages that wait
    std::size_t capacity;   ///< how many may
    std::uint64_t received; ///< have been let in
    std::uint64_t dropped;  ///< were let go by `drop_oldest` and `drop_newest`
    std::uint64_t rejected; ///< were refused
  };
  [[nodiscard]] statistics_type statistics() const noexcept;

  /// The address of the task.
  [[nodiscard]] caf::actor address() const;

  /// For the runtime.
  [[nodiscard]] detail::task_actor& owner() const noexcept { return *owner_; }

private:
  detail::task_actor* owner_;
};

/// The mailbox of the current task, which becomes an actor by that. Throws
/// `usage_error` outside of a task, `std::bad_alloc`.
[[nodiscard]] mailbox this_mailbox();

} // namespace troupe

#include <troupe/detail/mailbox_impl.hpp>
