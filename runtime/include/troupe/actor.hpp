// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actor_error.hpp>
#include <troupe/clock.hpp>
#include <troupe/detail/caf/mailbox_wait.hpp>
#include <troupe/mailbox.hpp>
#include <troupe/messages.hpp>
#include <troupe/task_handle.hpp>

#include <caf/actor.hpp>

#include <future>
#include <utility>

namespace troupe {

/// The address of the current task, which becomes an actor by that: any actor of any
/// CAF system can send to it, monitor it and link to it. Throws `usage_error` outside
/// of a task, `std::bad_alloc`.
///
/// An address keeps the mailbox, not the task: what is sent after the end of the task
/// is bounced.
[[nodiscard]] caf::actor self();

/// The actor system on the loops of this program. Made when first asked for; see
/// `run_options::configure_actors`. Ordinary CAF actors are spawned there; they are in
/// no nursery, and the end of the program waits for them, as CAF does. Throws
/// `usage_error` outside of a task.
[[nodiscard]] caf::actor_system& actor_system();

/// Sends `values` to an actor, and returns at once. From a task the sender is
/// that task if it is an actor already; else there is none. Never waits, never fails:
/// what cannot be delivered goes to the dead letters. Any thread. Not a checkpoint.
/// Throws `std::bad_alloc`.
template <class... Ts>
void send(const caf::actor& to, Ts&&... values);

/// As `send`, before all messages that are not urgent.
template <class... Ts>
void send_urgent(const caf::actor& to, Ts&&... values);

/// As `send`, but waits until a mailbox that is bounded by `when_full::wait` has let
/// the message in. Throws `actor_down` if it has ended. A checkpoint; cancelled, it
/// has not been sent.
template <class... Ts>
[[nodiscard]] auto send_when_room(caf::actor to, Ts&&... values);

/// Sends `values` to an actor and waits for its answer: one `T`, a `std::tuple` of
/// several, or, if `T` is void, nothing.
///
///     int total = co_await request<int>(counter, 1s, get{});
///
/// Ends in exactly one way: with the answer, with what the error of the actor stands
/// for (`actor_error` and its kinds), with `timeout_error` after `timeout`, with
/// `actor_down` when the actor has ended or ends, or cancelled; the message may have
/// been handled then. `duration::max()`: no limit. A checkpoint.
template <class T, class... Ts>
[[nodiscard]] auto request(caf::actor to, duration timeout, Ts&&... values);

/// The same for threads that are no loop. The future throws as `request` does.
template <class T, class... Ts>
[[nodiscard]] std::future<T> ask(const caf::actor& to, duration timeout, Ts... values);

/// Asks for a `caf::down_msg` to the current task when `other` ends; at once if it has
/// ended. Arrives once. Throws `usage_error` outside of a task, `std::bad_alloc`.
void monitor(const caf::actor& other);
/// Takes it back. A message that is on its way arrives all the same.
void demonitor(const caf::actor& other);

/// From now on the current task and `other` fall together: when one ends with a
/// failure or is cancelled, the other gets an exit message. An end without failure
/// leaves the other alone. Throws as `monitor`.
void link(const caf::actor& other);
void unlink(const caf::actor& other);

/// Sends an exit message: a task is cancelled by it (`cancel_cause::exit_message`)
/// unless it traps exits, an ordinary actor quits. Any thread.
void send_exit(const caf::actor& to, caf::error reason);

/// A task that was started by `nursery::start_actor`: its handle and its address.
template <class T>
class actor_handle : public task_handle<T> {
public:
  actor_handle() = default;
  actor_handle(task_handle<T> task, caf::actor address) noexcept
    : task_handle<T>(std::move(task)), address_(std::move(address)) {}

  [[nodiscard]] const caf::actor& address() const noexcept { return address_; }
  operator const caf::actor&() const noexcept { return address_; }

private:
  caf::actor address_;
};

} // namespace troupe

#include <troupe/detail/caf/actor_impl.hpp>
