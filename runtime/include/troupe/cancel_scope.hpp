// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/detail/loop.hpp>
#include <troupe/detail/scope_frame.hpp>
#include <troupe/detail/timer.hpp>
#include <troupe/error.hpp>
#include <troupe/task.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace troupe {

namespace detail {
class nursery_hook;
class remote_scope;
} // namespace detail

class canceller;
class loop_token;

/// Who or what has cancelled a scope.
enum class cancel_cause {
  requested,      ///< `cancel` was called
  deadline,       ///< the deadline has passed
  sibling_failed, ///< a task of the nursery, or its body, has failed
  signal,         ///< SIGINT or SIGTERM
  exit_message,   ///< a CAF `exit_msg`
  shutdown,       ///< service tasks after the others; the end of a grace period
};

/// Why something was cancelled; see `current_cancel_reason`.
struct cancel_reason {
  cancel_cause cause = cancel_cause::requested;
  std::string message; ///< what the caller said, or the failure's `what()`
  std::string origin;  ///< the name of the task that asked, or that failed
};

/// "deadline", "requested: going home (by 'parent')" ...
[[nodiscard]] std::string to_string(const cancel_reason& reason);

/// A region of a task that can be cancelled, with everything below it: by hand
/// (`cancel`), or when its deadline passes.
///
/// Cancellation is not an exception. An await inside a cancelled scope does not
/// come back: the frames up to the scope are destroyed, inner first, so that
/// destructors run, and the task goes on behind the scope. It is level-triggered:
/// inside a cancelled scope, every checkpoint is cancelled. An operation that was
/// cancelled has had no effect; one whose result was on its way delivers it, and
/// the next checkpoint is cancelled.
///
/// Scopes are opened by `with_cancel_scope`, `move_on_after`, `fail_after` and
/// their kin, and live until these return. All members are for the loop that
/// opened the scope; `remote` gives a handle for other threads.
///
/// After Trio's `CancelScope`.
class cancel_scope : private detail::timer {
public:
  cancel_scope() = default;
  cancel_scope(const cancel_scope&) = delete;
  cancel_scope& operator=(const cancel_scope&) = delete;
  ~cancel_scope();

  /// Cancels everything inside. Idempotent: the first reason stays.
  void cancel(std::string_view why = {}) noexcept;

  /// As above, with the cause said. For libraries that cancel on behalf of
  /// somebody else.
  void cancel(cancel_cause cause, std::string_view why) noexcept;

  /// Whether `cancel` has been called or the deadline has passed. What is inside
  /// may also be cancelled from further out.
  [[nodiscard]] bool cancel_called() const noexcept { return called_; }

  /// Why; null until `cancel_called`, or if there was no memory for it.
  [[nodiscard]] const cancel_reason* reason() const noexcept { return reason_.get(); }

  /// When the scope is cancelled by itself; `time_point::max()` for never. May
  /// be changed while tasks are inside; a time that has passed cancels at once.
  /// Throws `std::bad_alloc`.
  [[nodiscard]] time_point deadline() const noexcept { return deadline_; }
  void deadline(time_point when);

  /// Whether cancellation from further out stops here.
  [[nodiscard]] bool shield() const noexcept { return shield_; }
  void shield(bool on) noexcept;

  /// What messages call the scope ("fail_after" if nothing was given).
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  void name(std::string n) { name_ = std::move(n); }

  /// A handle that any thread may use to cancel this scope. Throws
  /// `std::bad_alloc`, and `usage_error` if the scope has not been entered.
  [[nodiscard]] canceller remote();

private:
  friend class nursery;
  friend class detail::task_block;
  friend class detail::scope_hook;
  friend class detail::nursery_hook;
  friend class detail::cancellation_walk;
  friend struct detail::scope_access;

  void enter(detail::task_block& t);
  void leave() noexcept;
  void expired() noexcept final;
  void cancel(cancel_cause cause, std::string_view why, std::string_view origin) noexcept;

  cancel_scope* outer_ = nullptr;        // the next scope of the same task
  detail::task_block* task_ = nullptr;   // who is inside; null before and after
  nursery* nursery_ = nullptr;           // whose scope it is, if it is a nursery's
  cancel_scope* next_changed_ = nullptr; // see cancellation_walk
  cancel_scope* next_outside_in_ = nullptr;
  time_point deadline_ = time_point::max();
  std::unique_ptr<cancel_reason> reason_;
  std::string name_;
  std::shared_ptr<detail::remote_scope> remote_; // null until asked for
  bool called_ = false;
  bool effective_ = false; // a checkpoint directly inside would be cancelled
  bool shield_ = false;
  bool queued_ = false;
};

/// Cancels a scope from any thread: a copyable handle, which may outlive the
/// scope and then does nothing.
class canceller {
public:
  /// Asks the scope's loop to cancel it, and returns at once. Idempotent. Throws
  /// `std::bad_alloc`.
  void cancel(std::string_view why = {}) const;

private:
  friend class cancel_scope;
  friend class loop_token;
  explicit canceller(std::shared_ptr<detail::remote_scope> s) noexcept : scope_(std::move(s)) {}

  std::shared_ptr<detail::remote_scope> scope_;
};

/// What a scoped body gives: true or a value if it ran to its end, false or
/// nothing if it was cancelled.
template <class T>
using scoped_result = std::conditional_t<std::is_void_v<T>, bool, std::optional<T>>;

/// Runs `body(scope)` or `body()`, a coroutine, in a scope of its own:
///
///     co_await with_cancel_scope([&](cancel_scope& s) -> task<> { ... });
///
/// Gives true, or the body's value, if the body ran to its end; false, or
/// nothing, if the scope was cancelled. Throws what the body throws. Not a
/// checkpoint by itself.
template <class Body>
[[nodiscard]] auto with_cancel_scope(Body&& body);

/// As `with_cancel_scope`, cancelled after `d` or at `when`. If that time has passed
/// already, the first checkpoint is cancelled. Of several deadlines in one tick, that
/// of the outermost scope wins; a sleep of the same tick only wins if it began before
/// the deadline was set.
template <class Body>
[[nodiscard]] auto move_on_after(duration d, Body&& body);
template <class Body>
[[nodiscard]] auto move_on_at(time_point when, Body&& body);

/// As `move_on_after`, but throws `timeout_error` if the deadline has cut the
/// body off; gives the body's value. `name` is for the message. Not a checkpoint by
/// itself.
template <class Body>
[[nodiscard]] auto fail_after(duration d, Body&& body, std::string name = {});
template <class Body>
[[nodiscard]] auto fail_at(time_point when, Body&& body, std::string name = {});

/// Runs `body` so that cancellation from further out does not reach it. Use with
/// care, and for short: it is what makes a program refuse to end. Not a checkpoint by
/// itself.
template <class Body>
[[nodiscard]] auto shielded(Body&& body);

/// Whether the current task would be cancelled at its next checkpoint.
[[nodiscard]] bool is_cancelled();

/// The earliest deadline that applies here, through all enclosing scopes and
/// nurseries up to a shield; `time_point::max()` if there is none,
/// `time_point::min()` if already cancelled.
[[nodiscard]] time_point current_effective_deadline();

/// Why the current task is being cancelled: the reason of the outermost
/// cancelled scope that reaches it, shields disregarded, so that clean-up code
/// can ask. Null if there is none.
[[nodiscard]] const cancel_reason* current_cancel_reason();

} // namespace troupe

#include <troupe/detail/cancel_scope_impl.hpp>
