// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/capacity_limiter.hpp>
#include <troupe/detail/safe_to_await.hpp>
#include <troupe/detail/thread_impl.hpp>
#include <troupe/nursery.hpp>
#include <troupe/thread_pool.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace troupe {

/// Where and how `to_thread` runs a function.
struct thread_options {
  thread_pool* pool = nullptr; ///< null: `default_thread_pool()`
  /// The function runs while it holds a token of this. On the default pool it then counts
  /// for this limiter instead of for the pool's size.
  capacity_limiter* limiter = nullptr;
  /// A cancelled task does not wait for the function, which goes on alone. See `to_thread`.
  bool abandon_on_cancel = false;
  std::string_view name = {}; ///< of the thread while it runs, and in the task tree; copied
};

/// Runs `fn(args...)`, a plain function that may block or compute for long, on a thread
/// of a pool, and gives its result or throws what it throws; the loop goes on meanwhile.
///
///     std::string text = co_await to_thread(read_slowly, "/mnt/tape/1");
///
/// `fn` and `args` are moved or copied, as `nursery::start_soon` does. What they refer to
/// may be used by no task until the call is over. It sees the task's `task_local` values.
///
/// A checkpoint: cancelled before it begins, the function is not called. A function that
/// runs cannot be stopped from outside: the await waits for its end, cancelled or not,
/// delivers the result, and the next checkpoint is cancelled. The function can end early
/// by itself: it asks by `from_thread_check_cancelled`. With `abandon_on_cancel` the await
/// is cancelled at once and the function goes on alone: what it gives, or throws, is
/// destroyed on its thread, as are its arguments; the `limiter`'s token is given back; and
/// the pool waits for it when it closes, the pools of a `run` when that ends. Abandon
/// only what refers to nothing of the task.
///
/// Throws also `usage_error` if the pool is closed, and `std::system_error` if the system
/// gives no thread. For any loop. After Trio's `to_thread.run_sync`.
template <class F, class... Args>
  requires(!std::is_same_v<std::remove_cvref_t<F>, thread_options>)
[[nodiscard]] auto to_thread(F&& fn, Args&&... args);
template <class F, class... Args>
[[nodiscard]] auto to_thread(thread_options options, F&& fn, Args&&... args);

/// Lets other threads run coroutines in a nursery: see `from_thread`. Copyable; may
/// outlive the nursery.
class loop_token {
public:
  /// Throws `usage_error` on another loop than the nursery's, and if it has closed.
  explicit loop_token(nursery& n);

private:
  friend class detail::nursery_visit;
  std::shared_ptr<detail::remote_scope> scope_;
};

/// The nursery of a `loop_token` has closed, or its runtime is gone.
class nursery_closed : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Runs `fn(args...)`, a coroutine or a plain function, on a loop, and waits for its
/// result. For other threads than those of loops.
///
/// On the thread of a `to_thread` call it runs as a part of the task that waits for the
/// call: that task's scopes, names and values apply, and its cancellation reaches the
/// coroutine. Elsewhere, or with a `loop_token`, it runs as a child of the token's
/// nursery, whose failure goes to the waiting thread and not to the nursery.
///
/// Throws what the coroutine throws; `task_cancelled` if it was cancelled, which a
/// function of `to_thread` lets pass to let the task unwind; `nursery_closed`; and
/// `usage_error` on a loop's thread, which would wait for itself, or if the thread works
/// for no task. Blocks; not for tasks.
template <class F, class... Args>
  requires(!std::is_same_v<std::remove_cvref_t<F>, loop_token>)
auto from_thread(F&& fn, Args&&... args);
template <class F, class... Args>
auto from_thread(const loop_token& token, F&& fn, Args&&... args);

/// Throws `task_cancelled` if the task that waits for this thread has been cancelled. The
/// function of `to_thread` lets it pass: the task unwinds then as from any checkpoint.
/// Throws `usage_error` on a thread that works for no task.
void from_thread_check_cancelled();

// -- implementation -----------------------------------------------------------------

namespace detail {

template <class F, class... Args>
task<typename call_on_thread<F, Args...>::result>
run_with_options(thread_options options, std::string name, stored_call<F, Args...> call) {
  using call_type = stored_call<F, Args...>;
  capacity_limiter::token token;
  if (options.limiter)
    token = co_await options.limiter->acquire();
  const bool limited = options.limiter != nullptr;
  if (options.abandon_on_cancel)
    co_return co_await abandonable_op<call_type>(options.pool, limited, name, std::move(call));
  co_return co_await thread_op<call_type>(options.pool, limited, name, std::move(call));
}

} // namespace detail

template <class F, class... Args>
  requires(!std::is_same_v<std::remove_cvref_t<F>, thread_options>)
auto to_thread(F&& fn, Args&&... args) {
  detail::check_awaited_arguments<F, Args...>();
  return detail::thread_op<std::decay_t<F>, std::decay_t<Args>...>(
    nullptr, false, std::string(), std::forward<F>(fn), std::forward<Args>(args)...);
}

template <class F, class... Args>
auto to_thread(thread_options options, F&& fn, Args&&... args) {
  detail::check_awaited_arguments<F, Args...>();
  using call = detail::stored_call<std::decay_t<F>, std::decay_t<Args>...>;
  std::string name(options.name);
  options.name = {}; // the copy is what lives on
  return detail::run_with_options<std::decay_t<F>, std::decay_t<Args>...>(
    options, std::move(name),
    call{std::forward<F>(fn), std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...)});
}

template <class F, class... Args>
  requires(!std::is_same_v<std::remove_cvref_t<F>, loop_token>)
auto from_thread(F&& fn, Args&&... args) {
  using visit = detail::typed_visit<detail::task_visit, std::decay_t<F>, std::decay_t<Args>...>;
  visit v(detail::require_work("from_thread"), std::forward<F>(fn), std::forward<Args>(args)...);
  return v.go();
}

template <class F, class... Args>
auto from_thread(const loop_token& token, F&& fn, Args&&... args) {
  detail::refuse_on_loop("from_thread");
  using function = std::decay_t<F>;
  if constexpr (detail::is_named<function>) {
    function given(std::forward<F>(fn));
    using visit =
      detail::typed_visit<detail::nursery_visit, decltype(given.fn), std::decay_t<Args>...>;
    visit v(detail::nursery_visit::target{token, std::move(given.name)}, std::move(given.fn),
            std::forward<Args>(args)...);
    return v.go();
  } else {
    using visit = detail::typed_visit<detail::nursery_visit, function, std::decay_t<Args>...>;
    visit v(detail::nursery_visit::target{token, std::string("from_thread")}, std::forward<F>(fn),
            std::forward<Args>(args)...);
    return v.go();
  }
}

} // namespace troupe
