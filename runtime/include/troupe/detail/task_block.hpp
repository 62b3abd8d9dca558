// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/detail/frame.hpp>
#include <troupe/detail/list.hpp>

#include <coroutine>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace troupe {
class cancel_scope;
class nursery;
struct cancel_reason;
enum class cancel_cause;
} // namespace troupe

namespace troupe::detail {

class loop;
class task_block;
struct task_extras;

/// Something the loop runs: a task, or a callback of the runtime's own.
struct ready_tag;
struct ready_node : list_node<ready_tag> {
  enum class kind : std::uint8_t { task, callback };
  const kind what;

protected:
  explicit ready_node(kind k) noexcept : what(k) {}
  ~ready_node() = default;
};

/// A callback in the ready queue. `run` may destroy the node.
class ready_callback : public ready_node {
public:
  virtual void run() noexcept = 0;

protected:
  ready_callback() noexcept : ready_node(kind::callback) {}
  ~ready_callback() { unlink(); }
};

/// What a suspended task waits for. Lives in the awaiter.
class suspension {
public:
  /// Cancellation has reached the task. Returns true if the operation has been
  /// withdrawn and had no effect; false if it is too late or takes time: then
  /// the operation itself calls `task_block::wake` or `task_block::aborted`.
  virtual bool withdraw() noexcept = 0;

  /// What the task tree says the task waits for ("sleep", "channel receive").
  [[nodiscard]] virtual const char* waits_for() const noexcept = 0;

  /// The task that has to act for it to end, as far as that is known: the one that holds
  /// a lock, or that is asked. It may have ended: to be compared, not to be used.
  [[nodiscard]] virtual const task_block* waits_for_task() const noexcept { return nullptr; }

  /// When it ends by itself; `time_point::max()` if it does not.
  [[nodiscard]] virtual time_point wakes_at() const noexcept { return time_point::max(); }

protected:
  ~suspension() = default;
};

enum class task_state : std::uint8_t {
  running,      ///< on the loop now
  ready,        ///< in the ready queue, with the result of what it waited for
  ready_yield,  ///< in the ready queue, after a checkpoint without an effect
  ready_unwind, ///< in the ready queue, to be unwound
  waiting,      ///< suspended in `waiting_for`
  aborting,     ///< as waiting; the operation has been asked to end
  ended,
};

/// The small parts of a task block. A base of its own, which fits into the padding of
/// the ready node before it.
struct task_flags {
  static constexpr std::uint8_t attend_cancellation = 1;
  static constexpr std::uint8_t attend_watch = 2;

  task_state state_ = task_state::ready;
  /// What a checkpoint has to see to; mostly nothing.
  std::uint8_t attention_ = 0;
  bool self_cancelled_ = false;
  bool ended_cancelled_ = false;
  /// A service task: the owner's cancellation reaches it only when the others
  /// have ended.
  bool service_ = false;
  /// In `nursery::start`, before it has said that it is ready.
  bool starting_ = false;
  /// The failure was handled, or delivered to somebody else than the owner.
  bool failure_taken_ = false;
};

/// Sees the checkpoints that a task comes to. For tests; costs nothing where there is none.
class checkpoint_watch {
public:
  /// `t`, which runs, is at a checkpoint; not cancelled yet, if it is or becomes so here. What
  /// this throws, the await throws.
  virtual void at_checkpoint(task_block& t) = 0;

  /// `t` is next on its loop. False: not now; it is put into the ready queue again later, by
  /// the watch.
  virtual bool may_run(task_block& /*t*/) noexcept { return true; }

  /// `t` has ended, and is watched no more.
  virtual void task_ended(task_block& /*t*/) noexcept {}

protected:
  ~checkpoint_watch() = default;
};

/// What the runtime keeps for each task. The task's frames hang on `root()`;
/// everything that few tasks need is in `extras_`.
struct sibling_tag;
class task_block : public ready_node,
                   protected task_flags,
                   public list_node<sibling_tag>,
                   protected link_hook {
public:
  task_block(loop& home, nursery* owner) noexcept;

  // -- for awaiters (home loop only) ------------------------------------------

  /// The task is at a checkpoint in frame `h`. Returns true if it is cancelled:
  /// then it has been scheduled to unwind, and the awaiter suspends at once.
  template <class Promise>
  bool cancelled_at(std::coroutine_handle<Promise> h) {
    if (attention_ == 0) [[likely]]
      return false;
    tell_watch();
    if (!cancelled())
      return false;
    resume_ = h;
    schedule_unwind();
    return true;
  }

  /// The task is suspended in frame `h` until `op` wakes it.
  template <class Promise>
  void wait(std::coroutine_handle<Promise> h, suspension& op) noexcept {
    resume_ = h;
    waiting_for_ = &op;
    state_ = task_state::waiting;
  }

  /// What the task waited for has happened.
  void wake() noexcept;

  /// What the task waited for was withdrawn after `suspension::withdraw` had
  /// returned false.
  void aborted() noexcept;

  /// An operation in frame `h` has completed without waiting. Returns true if
  /// the task has had its share of the loop and is put behind the others.
  template <class Promise>
  bool must_yield(std::coroutine_handle<Promise> h) noexcept;

  /// The task gives way in frame `h`; a checkpoint without an effect.
  template <class Promise>
  void yield(std::coroutine_handle<Promise> h);

  // -- cancellation -----------------------------------------------------------

  /// Whether a checkpoint would be cancelled here and now.
  [[nodiscard]] bool cancelled() const noexcept { return (attention_ & attend_cancellation) != 0; }

  /// Whether the task would be cancelled outside of all its scopes.
  [[nodiscard]] bool cancelled_at_root() const noexcept;

  /// What the enclosing scopes have come to. Delivers a new cancellation.
  void cancellation_is(bool now) noexcept {
    if (now == cancelled())
      return;
    attention_ ^= attend_cancellation;
    if (now && state_ != task_state::running)
      deliver_cancellation();
  }

  /// Cancels this task alone.
  void cancel(std::string_view why) noexcept;
  void cancel(cancel_cause cause, std::string_view why) noexcept;
  /// For the same reason as another one.
  void cancel(const cancel_reason& why) noexcept;

  // -- for tests ----------------------------------------------------------------

  /// Shows `watch` all checkpoints of this task from here on; null: none. Gives the one that
  /// did before. On the loop of the task. Throws `std::bad_alloc`.
  checkpoint_watch* watch_checkpoints(checkpoint_watch* watch);

  // -- life -------------------------------------------------------------------

  /// Runs the task until it suspends. Called by the loop.
  void run() noexcept;

  /// Where unwinding or resuming starts.
  void resume_at(std::coroutine_handle<> h) noexcept { resume_ = h; }

  /// What the task waited for is over; the caller decides what comes next.
  void not_waiting() noexcept {
    waiting_for_ = nullptr;
    state_ = task_state::running;
  }

  /// The root frame has run to its end. Called by the loop.
  void finish() noexcept;

  /// Schedules the task to unwind from the frame `resume_`.
  void schedule_unwind() noexcept;

  /// Schedules the task to resume `h`, not to be cancelled before it has run.
  void schedule_resume(std::coroutine_handle<> h) noexcept;

  void add_ref() noexcept { ++references_; }
  void release() noexcept {
    if (--references_ == 0)
      dispose();
  }

  // -- what it is -------------------------------------------------------------

  [[nodiscard]] loop& home() const noexcept { return *loop_; }
  [[nodiscard]] nursery* owner() const noexcept { return nursery_; }
  [[nodiscard]] cancel_scope* scope() const noexcept { return scope_; }
  void scope(cancel_scope* s) noexcept { scope_ = s; }
  [[nodiscard]] task_state state() const noexcept { return state_; }
  [[nodiscard]] suspension* waiting_for() const noexcept { return waiting_for_; }
  [[nodiscard]] std::coroutine_handle<> suspended_at() const noexcept { return resume_; }
  [[nodiscard]] bool ended() const noexcept { return state_ == task_state::ended; }
  [[nodiscard]] bool ended_cancelled() const noexcept { return ended_cancelled_; }
  [[nodiscard]] bool self_cancelled() const noexcept { return self_cancelled_; }
  [[nodiscard]] const std::exception_ptr& error() noexcept { return root().error; }
  void error(std::exception_ptr e) noexcept { root().error = std::move(e); }

  /// The name that was given, or the function's.
  [[nodiscard]] std::string name() const;
  void name(std::string given);
  /// As the compiler writes it.
  [[nodiscard]] const char* function_name() const noexcept { return function_name_; }

  [[nodiscard]] task_extras* extras() const noexcept { return extras_; }
  /// Makes the extras if there are none. Throws `std::bad_alloc`.
  task_extras& need_extras();

protected:
  ~task_block();

  /// Takes the coroutine over.
  void attach(std::coroutine_handle<> frame, frame_promise& promise) noexcept;

  /// Puts the task into the ready queue of its loop, for the first time.
  void go() noexcept;

  /// Tells the nursery. What `on_end` of a child does.
  void report_to_owner() noexcept;

  /// The last frame is gone. Called once; may dispose of the block.
  virtual void on_end() noexcept = 0;

  /// Frees the block.
  virtual void dispose() noexcept = 0;

  /// Where the outermost frame hangs, and its result.
  [[nodiscard]] virtual frame_link& root() noexcept = 0;

  /// The block stands for a task on another loop, which `op` can cancel.
  void stand_in(suspension& op) noexcept {
    waiting_for_ = &op;
    state_ = task_state::waiting;
    load_home();
  }
  /// Gives this block the name of `there`, and `there` what a child inherits.
  void take_along(task_block& there);

  /// The task has come to an end; all its frames are gone.
  void end(bool by_cancellation) noexcept;

  /// The task that this block stands for has come to its end `there`: with the same result.
  void end_as(task_block& there) noexcept;

private:
  friend class loop;
  friend class troupe::nursery;

  std::coroutine_handle<> completed(task_block&) noexcept final;
  unwind_step unwound(task_block&) noexcept final;
  void deliver_cancellation() noexcept;
  void load_home() noexcept;
  void unwind() noexcept;
  void tell_watch();
  [[nodiscard]] bool watch_lets_run() noexcept;
  void cancel(cancel_cause cause, std::string_view why, std::string_view origin) noexcept;

  loop* loop_;
  nursery* nursery_;
  cancel_scope* scope_ = nullptr;
  std::coroutine_handle<> resume_;
  suspension* waiting_for_ = nullptr;
  task_extras* extras_ = nullptr;
  const char* function_name_ = "";
  std::uint32_t references_ = 1;

public:
  /// From the loop of its nursery, which is another; see `nursery::stop`.
  bool asked_to_stop_ = false;
  using task_flags::failure_taken_;
  using task_flags::service_;
  using task_flags::starting_;
};

static_assert(sizeof(task_block) <= 112, "a million tasks have a million of them");

/// The task that opened the nursery `t` belongs to; null for a root.
[[nodiscard]] task_block* parent_of(const task_block& t) noexcept;

/// "task<> a::child(std::string)" -> "a::child".
[[nodiscard]] std::string short_name(std::string_view function);

/// What a failure is called in a reason. Never throw.
[[nodiscard]] std::string describe_or_empty(const std::exception_ptr& e) noexcept;
[[nodiscard]] std::string name_or_empty(const task_block& t) noexcept;

/// See `current_cancel_reason`.
[[nodiscard]] const cancel_reason* reason_for(const task_block& t) noexcept;

/// Never throws: null if there is no memory. An empty `origin` means the current
/// task.
[[nodiscard]] std::unique_ptr<cancel_reason> make_reason(cancel_cause cause, std::string_view why,
                                                         std::string_view origin) noexcept;

/// The task that runs on this thread; null outside of the loops and in
/// callbacks of the runtime.
[[nodiscard]] task_block* current_task_block() noexcept;

/// As above. Throws `std::logic_error` that names `what` if there is none.
[[nodiscard]] task_block& require_current_task(const char* what);

} // namespace troupe::detail
