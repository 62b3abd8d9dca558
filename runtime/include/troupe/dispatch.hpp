// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/error.hpp>
#include <troupe/process_pool.hpp>
#include <troupe/task.hpp>
#include <troupe/thread.hpp>

#include <concepts>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>

namespace troupe {

namespace detail {

template <class R, class... Args>
std::true_type is_process_function_test(const process_function<R(Args...)>*);
std::false_type is_process_function_test(const void*);
template <class F>
concept any_process_function =
  decltype(is_process_function_test(static_cast<const F*>(nullptr)))::value;

} // namespace detail

/// One call for all that a task may wait for, by what the function is: a coroutine runs on the
/// loop, a plain function on a thread, a `process_function` in a worker process.
///
///     const process_function primes("primes", count_primes);
///
///     dispatcher run(pool);
///     auto page = co_await run(fetch, url);        // task<std::string> fetch(std::string)
///     auto text = co_await run(read_tape, "1");    // std::string read_tape(std::string)
///     auto n = co_await run(primes, 1'000'000);
///
/// Started in a nursery (`n.start_soon(std::ref(run), fetch, url)`) calls run at the same time.
/// For the loop of its pool.
///
/// After unsync, where a function says by its mark how it is run.
class dispatcher {
public:
  /// Without a pool, `process_function`s cannot be called.
  dispatcher() = default;
  explicit dispatcher(process_pool& pool) noexcept : pool_(&pool) {}

  /// Calls `fn(args...)` where it belongs, and gives its value or throws what it throws. `fn` and
  /// `args` are copied or moved, as `nursery::start_soon` does. A checkpoint for plain functions
  /// (`to_thread`) and process functions (`process_pool::run`); for coroutines where they are.
  template <class F, class... Args>
  [[nodiscard]] auto operator()(F&& fn, Args&&... args) const {
    detail::check_awaited_arguments<F, Args...>();
    using function = std::decay_t<F>;
    if constexpr (detail::any_process_function<function>) {
      if (!pool_)
        throw usage_error("troupe: dispatcher: '" + fn.name()
                          + "' runs in a worker process, and there is no pool of them");
      return pool_->run(fn, std::forward<Args>(args)...);
    } else if constexpr (detail::is_task<std::invoke_result_t<function, std::decay_t<Args>...>>) {
      return run_here(function(std::forward<F>(fn)),
                      std::decay_t<Args>(std::forward<Args>(args))...);
    } else {
      return run_on_thread(function(std::forward<F>(fn)),
                           std::decay_t<Args>(std::forward<Args>(args))...);
    }
  }

private:
  template <class F, class... Args>
  static std::invoke_result_t<F, Args...> run_here(F fn, Args... args) {
    co_return co_await std::invoke(std::move(fn), std::move(args)...);
  }

  template <class F, class... Args>
  static task<std::invoke_result_t<F, Args...>> run_on_thread(F fn, Args... args) {
    co_return co_await to_thread(std::move(fn), std::move(args)...);
  }

  process_pool* pool_ = nullptr;
};

} // namespace troupe
