// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/child.hpp>
#include <troupe/detail/runtime.hpp>

#include <chrono>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace troupe {

/// How `run` sets the runtime up.
struct run_options {
  unsigned loops = 0;          ///< threads; 0: one per core
  bool debug = false;          ///< slow steps and late nurseries are reported on stderr
  bool handle_signals = false; ///< SIGINT and SIGTERM cancel the root, a second one exits at
                               ///< once; SIGQUIT writes the task tree to stderr
  duration shutdown_limit = duration::max(); ///< how long the root may take to end after a
                                             ///< signal; then the task tree is written to
                                             ///< stderr and the process exits with 1
  /// Called once, when the actor system is made: to load CAF's modules
  /// (`config.load<caf::io::middleman>()`) or set its options.
  detail::configure_actors_fn configure_actors = {};
  detail::time_source* time = nullptr; ///< for tests: see troupe/testing/virtual_clock.hpp
  detail::network* network = nullptr;  ///< for tests: see troupe/testing/network.hpp
};

namespace detail {

template <class T, class F, class... Args>
class root_task final : public child_base<T>, private inbox_node {
public:
  template <class Fn, class... As>
  root_task(loop& home, Fn&& fn, As&&... args)
    : child_base<T>(home, nullptr), call_{std::forward<Fn>(fn),
                                          std::tuple<Args...>(std::forward<As>(args)...)} {}

  T run_to_end(runtime& rt) {
    rt.run_root(*this, *this);
    if constexpr (std::is_void_v<T>)
      this->result().take();
    else
      return this->result().take();
  }

private:
  void run() noexcept override {
    try {
      auto frame = call_().release();
      this->attach(frame, frame.promise());
      this->go();
    } catch (...) {
      this->root().error = std::current_exception();
      this->end(false);
    }
  }
  void on_end() noexcept override { this->home().owner().root_ended(); }
  void dispose() noexcept override {}

  stored_call<F, Args...> call_;
};

} // namespace detail

/// Starts the runtime, runs `fn(args...)`, a coroutine, as the root task on the
/// first loop, waits for its end, and gives its result or throws its failure.
/// Nothing of the runtime is left when it returns.
///
/// Throws `task_cancelled` if the root was cancelled (by a signal, for example),
/// `std::system_error` if the threads or the loops cannot be set up, `usage_error` inside
/// of a task, whose loop it would stop.
template <class F, class... Args>
auto run(run_options options, F fn, Args... args) {
  using value = typename detail::task_of<F, Args...>::value;
  detail::runtime rt(options.loops, options.time, options.debug, options.handle_signals,
                     options.shutdown_limit, std::move(options.configure_actors));
  rt.network_in_use(options.network);
  detail::root_task<value, F, Args...> root(rt.at(0), std::move(fn), std::move(args)...);
  return root.run_to_end(rt);
}

template <class F, class... Args>
  requires(!std::is_same_v<F, run_options>)
auto run(F fn, Args... args) { return run(run_options{}, std::move(fn), std::move(args)...); }

/// How long a program that uses `main` may take to end after SIGINT or SIGTERM, if
/// nothing is said: twice the time that a clean-up has.
inline constexpr duration default_shutdown_limit = std::chrono::seconds(10);

namespace detail {

/// The part of `main` that is the same for all programs.
struct main_arguments {
  run_options options;
  std::optional<int> exit_code; // set: do not run, exit with this
};
[[nodiscard]] main_arguments parse_main_arguments(int& argc, char** argv, run_options defaults);
[[nodiscard]] int report_main_failure(const std::exception_ptr& error) noexcept;

} // namespace detail

/// `run` for a `main` function:
///
///     int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
///
/// Takes `--loops N`, `--debug` and `--shutdown-limit SECONDS` (or `none`) out of the
/// arguments, which overrule `options`, and passes the others to `fn` if it wants them
/// (`task<>(std::vector<std::string>)` or `task<int>(std::vector<std::string>)`).
///
/// Gives the exit code: the value of a `task<int>`, 0 for a `task<>`, 1 after writing an
/// uncaught failure as a tree to stderr, 2 for a bad argument, 128 plus the signal's
/// number when SIGINT or SIGTERM has cancelled the root and it has ended. If it has not
/// within the limit (`default_shutdown_limit` if none is given), the task tree is written
/// to stderr and the process exits with 1; a second signal exits at once. SIGQUIT writes
/// the task tree to stderr. Signals are heard even if a task holds its loop.
template <class F>
int main(int argc, char** argv, run_options options, F fn) {
  auto arguments = detail::parse_main_arguments(argc, argv, options);
  if (arguments.exit_code)
    return *arguments.exit_code;
  try {
    std::vector<std::string> rest(argv, argv + argc);
    if constexpr (std::is_invocable_v<F, std::vector<std::string>>) {
      if constexpr (std::is_same_v<typename detail::task_of<F, std::vector<std::string>>::value,
                                   int>)
        return run(arguments.options, std::move(fn), std::move(rest));
      else
        run(arguments.options, std::move(fn), std::move(rest));
    } else {
      if constexpr (std::is_same_v<typename detail::task_of<F>::value, int>)
        return run(arguments.options, std::move(fn));
      else
        run(arguments.options, std::move(fn));
    }
    return detail::last_signal() ? 128 + detail::last_signal() : 0;
  } catch (...) {
    return detail::report_main_failure(std::current_exception());
  }
}

template <class F>
int main(int argc, char** argv, F fn) {
  return main(argc, argv, run_options{.shutdown_limit = default_shutdown_limit}, std::move(fn));
}

} // namespace troupe
