// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/cancel_scope.hpp>
#include <troupe/detail/child.hpp>
#include <troupe/detail/elsewhere.hpp>
#include <troupe/exception_group.hpp>
#include <troupe/task_handle.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

namespace detail {
template <class Body>
class nursery_awaiter;
class nursery_hook;
class stop_awaiter;
struct tree_access;
struct nursery_access;
} // namespace detail

/// What can be asked of a nursery when it is opened. Trivial to destroy, because
/// g++ 12 destroys braced temporaries of a co_await expression twice.
struct nursery_options {
  std::string_view name = {};          ///< for messages and the task tree; copied
  bool always_group = false;           ///< throw an `exception_group` even for a single failure
  duration watchdog = duration::max(); ///< after the body has ended, how long the children may
                                       ///< take before the task tree is written to stderr
};

/// Where `start` hears that the child is ready. The child calls `started` once.
template <class T = void>
class task_status;

/// The scope that owns tasks: it ends only when all of them have ended.
///
///     co_await with_nursery([&](nursery& n) -> task<> {
///       n.start_soon(child, "one");
///       n.start_soon(child, "two");
///       co_return; // waits here for both
///     });
///
/// No task outlives its nursery, and no failure is lost: when a task fails, or
/// the body does, the others are cancelled, and when all have ended the failure
/// is thrown from `with_nursery`: one as it is, several as `exception_group`.
///
/// A task runs on the loop of its nursery, so siblings never run at the same
/// time; `start_elsewhere` asks for another loop. All members are for the loop
/// that opened the nursery, and throw `usage_error` on another, or when the
/// nursery has closed.
///
/// After Trio's `Nursery`.
class nursery {
public:
  nursery(const nursery&) = delete;
  nursery& operator=(const nursery&) = delete;

  /// Starts `fn(args...)`, a coroutine, as a child of this nursery, and returns
  /// at once. The child runs at the earliest when the caller suspends, and always
  /// up to its first checkpoint.
  ///
  /// `fn` and `args` are moved or copied into the child and live as long as it,
  /// as with `std::thread`: a reference parameter refers to the stored copy, and
  /// a non-const one needs `std::ref`. Give a name with `named("x", fn)`.
  ///
  /// Throws `std::bad_alloc`, and what copying the arguments throws; nothing was
  /// started then. Not a checkpoint.
  template <class F, class... Args>
  auto start_soon(F fn, Args... args);

  /// Starts a child and waits until it has called `started` on the
  /// `task_status<T>&` that is its first parameter; gives the value it passed.
  ///
  ///     int port = co_await n.start(serve, 0);
  ///
  /// Throws what the child throws before that (the nursery does not hear of it),
  /// `start_error` if it just ends. If the caller is cancelled while it waits, so
  /// is the child, and the wait ends when it has ended. A checkpoint.
  template <class F, class... Args>
  [[nodiscard]] auto start(F&& fn, Args&&... args);

  /// Starts a service: a child that the others use. It is not waited for: when
  /// all others have ended, services are cancelled one by one, last started
  /// first, each when the one before has ended. Cancelling the nursery reaches
  /// them only then; a soft stop (`stop`) at once, as all others.
  template <class F, class... Args>
  auto start_service(F fn, Args... args);

  /// Starts a child on the loop with the fewest tasks, or on loop `index` (modulo
  /// the number of loops). What it is given is moved or copied there; it must not
  /// share anything else with this loop. The result comes back the same way.
  template <class F, class... Args>
  auto start_elsewhere(F fn, Args... args);
  template <class F, class... Args>
  auto start_on(unsigned index, F fn, Args... args);

  /// Starts an actor: a child that gets its mailbox as its first parameter, as a
  /// `mailbox&`, before `args`. The handle has its address (`actor_handle`), which can
  /// be sent to at once. As `start_soon` in all else; `start_actor_on` as `start_on`.
  template <class F, class... Args>
  auto start_actor(F fn, Args... args);
  template <class F, class... Args>
  auto start_actor_on(unsigned index, F fn, Args... args);

  /// Cancels all children and the body. Idempotent.
  void cancel(std::string_view why = {}) noexcept { scope_.cancel(why); }

  /// The scope around body and children.
  [[nodiscard]] cancel_scope& scope() noexcept { return scope_; }

  /// Asks everything in this nursery to finish (`stopping()`), and cancels what is
  /// left after `grace`. A second call can only shorten the grace.
  void stop(duration grace, std::string_view why = {});

  /// Whether `stop` was called.
  [[nodiscard]] bool stop_requested() const noexcept { return stop_requested_; }

  /// A child's failure of type `E` goes to `handler(const E&)` or
  /// `handler(const E&, std::string_view task_name)` instead of cancelling the
  /// others. Handlers are asked in the order they were given; what a handler
  /// throws takes the failure's place. Services and the body count as well as
  /// ordinary children, the body excepted.
  template <class E, class Handler>
  void on_error(Handler handler);

  /// The children that have not ended, services included.
  [[nodiscard]] std::size_t size() const noexcept { return alive_ + services_; }

  [[nodiscard]] const std::string& name() const noexcept { return scope_.name(); }

private:
  template <class>
  friend class detail::nursery_awaiter;
  friend class detail::nursery_hook;
  friend class detail::task_block;
  friend class detail::cancellation_walk;
  friend struct detail::tree_access;
  friend class detail::stop_awaiter;
  friend struct detail::nursery_access;

  nursery(nursery_options options) : options_(options) {
    scope_.name(options.name.empty() ? "nursery" : std::string(options.name));
    options_.name = {}; // the scope has it
  }
  ~nursery();

  using error_handler = std::function<bool(const std::exception_ptr&, std::string_view)>;

  /// The loop to start on; throws `usage_error`.
  detail::loop& check_open(const char* what) const;
  void adopt(detail::task_block& child, bool service) noexcept;

  template <class F, class... Args>
  auto launch(bool service, F fn, Args... args);

  template <class F, class... Args>
  auto make_child(F fn, Args... args);
  template <class F, class... Args>
  auto make_elsewhere(unsigned index, F fn, Args... args);

  void open(detail::task_block& parent, detail::nursery_hook& hook);
  void child_ended(detail::task_block& child) noexcept;
  bool offer_to_handlers(detail::task_block& child) noexcept;

  /// Ends the next service, or says that nothing is left.
  bool nothing_left() noexcept;

  [[noreturn]] void throw_failures(std::exception_ptr body_error);

  class watchdog final : public detail::timer {
  public:
    explicit watchdog(nursery& n) noexcept : nursery_(n) {}
    void expired() noexcept override;

  private:
    nursery& nursery_;
  };

  class grace_timer final : public detail::timer {
  public:
    explicit grace_timer(nursery& n) noexcept : nursery_(n) {}
    void expired() noexcept override;

  private:
    nursery& nursery_;
  };

  cancel_scope scope_;
  nursery_options options_;
  detail::list<detail::task_block, detail::sibling_tag> children_;
  detail::list<detail::task_block, detail::sibling_tag> failed_;
  std::vector<std::unique_ptr<error_handler>> handlers_;
  detail::nursery_hook* hook_ = nullptr;
  detail::task_block* parent_ = nullptr; // null when closed
  std::size_t alive_ = 0;
  std::size_t services_ = 0;
  time_point stop_at_ = time_point::max();
  std::string stop_reason_;
  bool stop_requested_ = false;
  bool body_ended_ = false;
  bool interrupted_ = false; // the body or a child was cut off by cancellation
  watchdog watchdog_{*this};
  grace_timer grace_{*this};
};

/// Opens a nursery, runs `body(n)`, a coroutine, in it, and returns when the
/// body and all tasks of the nursery have ended.
///
/// Gives the body's value. Throws the failures (see `nursery`), and
/// `task_cancelled` if the body has a value and was cut off by `n.cancel()`. Waiting
/// for the children is a checkpoint: if they were cut off because a scope further
/// out was cancelled, the call does not come back.
template <class Body>
[[nodiscard]] auto with_nursery(Body&& body);
template <class Body>
[[nodiscard]] auto with_nursery(nursery_options options, Body&& body);

/// The index of the loop that the current task runs on, as `start_on` takes it: for work that is
/// done elsewhere and has something to say at home. Not a checkpoint. Throws `usage_error` outside
/// of tasks.
[[nodiscard]] unsigned current_loop();

/// How many loops there are, of indices from 0 on. Not a checkpoint. Throws `usage_error` outside
/// of tasks.
[[nodiscard]] unsigned loop_count();

/// Whether a nursery around the current task has been asked to stop.
[[nodiscard]] bool is_stopping();

/// Waits until `is_stopping()`. A checkpoint.
[[nodiscard]] auto stopping();

} // namespace troupe

#include <troupe/detail/nursery_impl.hpp>
