// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/cleanup.hpp>
#include <troupe/clock.hpp>
#include <troupe/detail/safe_to_await.hpp>
#include <troupe/nursery.hpp>
#include <troupe/process.hpp>
#include <troupe/process_function.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace troupe {

/// A worker process has ended before it answered. The message names the function, the process
/// and how it has ended: "worker process 12 has died of SIGABRT in 'primes'".
class worker_died : public std::runtime_error {
public:
  worker_died(std::string function, int pid, exit_status status);

  [[nodiscard]] const std::string& function() const noexcept { return function_; }
  [[nodiscard]] int pid() const noexcept { return pid_; }
  [[nodiscard]] exit_status status() const noexcept { return status_; }

private:
  std::string function_;
  int pid_;
  exit_status status_;
};

/// A function has thrown in its worker: "'primes' has thrown std::out_of_range in its worker
/// process: too many". The worker goes on.
class process_function_error : public std::runtime_error {
public:
  process_function_error(std::string function, std::string type, std::string text);

  [[nodiscard]] const std::string& function() const noexcept { return function_; }
  /// The exception's type, and its `what()`.
  [[nodiscard]] const std::string& type() const noexcept { return type_; }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
  std::string function_;
  std::string type_;
  std::string text_;
};

/// What can be asked of a pool. Trivial to destroy, for g++ 12.
struct process_pool_options {
  unsigned size = 0;                           ///< processes at most; 0: one per core
  duration idle_ttl = std::chrono::minutes(1); ///< one that is idle for so long is ended
  std::size_t jobs_per_worker = 0;             ///< then it is replaced; 0: no limit
  duration grace = default_grace;              ///< to end when it is asked to; then SIGKILL
  std::string_view program = {};               ///< what to run as a worker; copied. Empty: this
                                               ///< program again
};

/// Worker processes for functions that compute for long, or may crash:
///
///     co_await with_process_pool([](process_pool& pool) -> task<> {
///       std::cout << co_await pool.run(primes, 1'000'000) << '\n';
///     });
///
/// Workers are this program, started again (see `run_process_worker`), with stdout and stderr
/// of this one. They are started when there is work, kept while they are used, and end when
/// the pool or this program does. One that dies fails its job, and its place is taken by a new
/// one.
///
/// All members are for the loop that made the pool.
class process_pool {
public:
  process_pool(const process_pool&) = delete;
  process_pool& operator=(const process_pool&) = delete;
  ~process_pool();

  /// Calls `function(args...)` in a worker, as soon as one is free, and gives its value.
  ///
  /// A checkpoint. Cancelled while it waits for a worker, nothing was called; after that the
  /// worker is killed, in the middle of what it does. Throws `worker_died`,
  /// `process_function_error` for what the function throws, `process_error` if no
  /// worker can be started, `std::runtime_error` for values that cannot be sent, `usage_error`
  /// on another loop and when the pool is closing.
  template <class R, class... Args>
  [[nodiscard]] task<R> run(const process_function<R(Args...)>& function,
                            std::type_identity_t<std::decay_t<Args>>... args);

  /// How many workers there are at most, are there now, and have nothing to do.
  [[nodiscard]] std::size_t size() const noexcept;
  [[nodiscard]] std::size_t workers() const noexcept;
  [[nodiscard]] std::size_t idle() const noexcept;

  /// Takes no more jobs, waits for those that were asked for, and lets the workers end. What
  /// `with_process_pool` does at its end. A checkpoint; cancelled, the pool stays closed, and
  /// some workers are there until its end. Idempotent.
  [[nodiscard]] task<> close();

  /// For `with_process_pool`.
  struct impl;
  explicit process_pool(const process_pool_options& options);
  void open(nursery& n);

private:
  task<std::vector<char>> call(const std::string& function, std::vector<char> request);

  std::unique_ptr<impl> impl_;
};

template <class R, class... Args>
task<R> process_pool::run(const process_function<R(Args...)>& function,
                          std::type_identity_t<std::decay_t<Args>>... args) {
  std::vector<char> request;
  detail::write_values(request, args...);
  const auto answer = co_await call(function.name(), std::move(request));
  if constexpr (!std::is_void_v<R>) {
    R value{};
    detail::read_values(answer, value);
    co_return value;
  }
}

namespace detail {

/// Copied: what the options name need not outlive the call that makes the task.
struct owned_pool_options {
  explicit owned_pool_options(const process_pool_options& o) : options(o), program(o.program) {}
  [[nodiscard]] process_pool_options get() const noexcept {
    process_pool_options o = options;
    o.program = program;
    return o;
  }
  process_pool_options options;
  std::string program;
};

template <class Body>
using pool_body_result = typename std::invoke_result_t<Body&, process_pool&>::value_type;

template <class Body>
task<pool_body_result<Body>> run_with_process_pool(owned_pool_options options, Body body) {
  process_pool pool(options.get()); // outlives all that runs in the nursery
  co_return co_await with_nursery([&](nursery& n) -> task<pool_body_result<Body>> {
    pool.open(n);
    co_return co_await with_cleanup([&]() { return std::invoke(body, pool); },
                                    [&]() { return pool.close(); }, duration::max());
  });
}

} // namespace detail

/// Opens a pool, runs `body(pool)`, a coroutine, and closes the pool when the body has ended in
/// whatever way: waits for the jobs that were asked for, and lets the workers end.
///
/// Gives the body's value; throws what it throws. Throws `usage_error` in a worker process.
/// Not a checkpoint by itself.
template <class Body>
[[nodiscard]] auto with_process_pool(process_pool_options options, Body&& body) {
  detail::check_awaited_arguments<Body>();
  return detail::run_with_process_pool<std::decay_t<Body>>(detail::owned_pool_options(options),
                                                           std::forward<Body>(body));
}
template <class Body>
[[nodiscard]] auto with_process_pool(Body&& body) {
  return with_process_pool(process_pool_options{}, std::forward<Body>(body));
}

} // namespace troupe
