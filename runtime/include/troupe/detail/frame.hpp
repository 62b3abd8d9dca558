// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/recycler.hpp>

#include <concepts>
#include <coroutine>
#include <exception>
#include <source_location>
#include <type_traits>
#include <utility>

namespace troupe::detail {

class task_block;
class loop;
struct frame_promise;

/// How unwinding goes on after a frame has been destroyed.
enum class unwind_step {
  destroy, ///< go on: destroy the frame that awaited it
  resume,  ///< unwinding ends here: resume the frame that awaited it
  wait,    ///< something else has to end first; it will continue the unwinding
};

/// Makes an await more than a function call: a scope, a nursery, a clean-up, or
/// the root of a task.
class link_hook {
public:
  /// The awaited frame has run to its end. Returns what to resume next.
  virtual std::coroutine_handle<> completed(task_block& t) noexcept = 0;

  /// The awaited frame was destroyed because the task is being cancelled.
  virtual unwind_step unwound(task_block& t) noexcept = 0;

protected:
  ~link_hook() = default;
};

/// Joins an awaited frame to the frame that awaits it. Lives in the awaiter, so
/// in the frame of the parent, and owns the child. The chain of links from the
/// leaf to the root is the stack of a task; unwinding walks it in a loop, so
/// its depth is not limited by the thread's stack.
struct frame_link {
  std::coroutine_handle<> child;
  frame_promise* parent = nullptr;
  link_hook* hook = nullptr;
  std::exception_ptr error;

  explicit frame_link(std::coroutine_handle<> owned = {}) noexcept : child(owned) {}
  frame_link(const frame_link&) = delete;
  frame_link& operator=(const frame_link&) = delete;
  ~frame_link() {
    if (child)
      child.destroy();
  }

  /// Makes `child_promise` run as a part of what `awaiting` belongs to.
  void join(frame_promise& child_promise, frame_promise* awaiting, task_block* t) noexcept;
};

/// What may be awaited in a task: the library's own awaitables say so with a
/// member type. Others do not know about cancellation.
template <class T>
concept awaitable_in_task = requires {
  typename std::remove_cvref_t<T>::troupe_awaitable;
};

/// An awaiter that stays where it is: g++ 12 copies what await_transform returns
/// by reference.
template <class Awaiter>
struct awaiter_ref {
  Awaiter& awaiter;

  [[nodiscard]] bool await_ready() const noexcept { return awaiter.await_ready(); }
  template <class Promise>
  decltype(auto) await_suspend(std::coroutine_handle<Promise> h) const {
    return awaiter.await_suspend(h);
  }
  decltype(auto) await_resume() const { return awaiter.await_resume(); }
};

/// The part that the promises of all frames share. All promise types are laid
/// out alike (results live in the awaiter), so that a frame's address is enough
/// to find its promise.
struct frame_promise {
  frame_link* link = nullptr;
  task_block* task = nullptr;
  std::source_location where;

  static void* operator new(std::size_t bytes) { return allocate(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { deallocate(frame, bytes); }

  std::suspend_always initial_suspend() const noexcept { return {}; }

  template <class Awaitable>
  auto await_transform(Awaitable&& x) const {
    static_assert(awaitable_in_task<Awaitable>,
                  "troupe: this cannot be awaited in a task. A task awaits other tasks and the "
                  "awaitables of troupe, which know how to be cancelled.");
    if constexpr (requires { std::forward<Awaitable>(x).operator co_await(); })
      return std::forward<Awaitable>(x).operator co_await();
    else
      return awaiter_ref<std::remove_reference_t<Awaitable>>{x};
  }

  void unhandled_exception() noexcept { link->error = std::current_exception(); }

  [[nodiscard]] std::coroutine_handle<frame_promise> handle() noexcept {
    return std::coroutine_handle<frame_promise>::from_promise(*this);
  }

  [[nodiscard]] static frame_promise& of(std::coroutine_handle<> h) noexcept {
    return std::coroutine_handle<frame_promise>::from_address(h.address()).promise();
  }
};

template <class Promise>
concept troupe_promise = std::derived_from<Promise, frame_promise>;

inline void frame_link::join(frame_promise& child_promise, frame_promise* awaiting,
                             task_block* t) noexcept {
  parent = awaiting;
  child_promise.link = this;
  child_promise.task = t;
}

/// Goes on with `h`: the loop resumes it next. Not a symmetric transfer, which
/// compilers turn into a jump only when they optimise fully: deep chains of frames
/// must not use up the stack in any build. Defined in loop.hpp.
std::coroutine_handle<> transfer(task_block& t, std::coroutine_handle<> h) noexcept;

/// Ends a frame: hands over to the frame that awaits it.
struct final_awaiter {
  [[nodiscard]] bool await_ready() const noexcept { return false; }

  template <troupe_promise Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> h) const noexcept {
    frame_promise& self = h.promise();
    if (self.link->hook)
      return self.link->hook->completed(*self.task);
    return transfer(*self.task, self.link->parent->handle());
  }

  void await_resume() const noexcept {}
};

} // namespace troupe::detail
