// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/run.hpp>
#include <troupe/testing/virtual_clock.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace troupe::testing {

/// How `run_test` runs a test.
struct test_options {
  std::string_view name = "test"; ///< for what is said about it
  unsigned loops = 1;             ///< threads; 0: one per core
  bool virtual_time = true;       ///< a `virtual_clock` with autojump; else the machine's
  virtual_clock* time = nullptr;  ///< one's own, to move it by hand
  /// How long the test may take by the wall clock. `duration::max()`: as long as it likes.
  duration hangs_after = std::chrono::seconds(60);
  bool check_leaks = true; ///< see `run_test`
  bool debug = false;      ///< as in `run_options`
};

} // namespace troupe::testing

namespace troupe {

namespace detail {

/// A thread that ends the process when it has not been destroyed in time.
class hang_watch {
public:
  /// Throws `std::system_error`.
  hang_watch(std::string_view test, duration limit);
  ~hang_watch();
  hang_watch(const hang_watch&) = delete;
  hang_watch& operator=(const hang_watch&) = delete;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// What there was before a test.
class leak_check {
public:
  explicit leak_check(bool on);
  ~leak_check();
  leak_check(const leak_check&) = delete;
  leak_check& operator=(const leak_check&) = delete;

  /// What the body has left in the runtime. On the first loop, when it has ended.
  [[nodiscard]] task<> look_inside();

  /// What the run has left behind. Throws `test_failure` that names all that has leaked.
  void done(std::string_view test);

private:
  struct impl;
  std::unique_ptr<impl> impl_; // null: off
};

template <class T, class F>
task<T> run_and_look(F fn, leak_check& leaks, std::string test) {
  current_task_block()->name(std::move(test)); // in the tree
  if constexpr (std::is_void_v<T>) {
    co_await std::invoke(fn);
    co_await leaks.look_inside();
  } else {
    T value = co_await std::invoke(fn);
    co_await leaks.look_inside();
    co_return value;
  }
}

} // namespace detail

} // namespace troupe

namespace troupe::testing {

/// Runs `body`, a coroutine, as the root task of a runtime of its own, for a test of any
/// framework, and gives its result or throws its failure.
///
/// A test that hangs, by the wall clock, has its task tree written to stderr, and the
/// process aborts: what hangs cannot be ended from outside.
///
/// If the body has not failed, and all of it is over, nothing may be left: no task of
/// another loop, timer or ordinary CAF actor, no coroutine frame, descriptor (socket, file,
/// pipe) or thread that was not there before, and no message in a mailbox that nobody has
/// read. Else it throws `test_failure` that names what has leaked. What the program
/// makes once and keeps belongs outside of the test, or `check_leaks` off; as it
/// belongs off where other threads of the process open descriptors meanwhile.
///
/// Throws also what `run` throws.
template <class F>
auto run_test(const test_options& options, F body) {
  using value = typename detail::task_of<F>::value;
  const detail::hang_watch watch(options.name, options.hangs_after);
  detail::leak_check leaks(options.check_leaks);
  std::optional<virtual_clock> own;
  run_options how;
  how.loops = options.loops;
  how.debug = options.debug;
  how.time = options.time ? options.time : !options.virtual_time ? nullptr : &own.emplace();
  const auto root = [&]() -> task<value> {
    return detail::run_and_look<value>(std::move(body), leaks, std::string(options.name));
  };
  if constexpr (std::is_void_v<value>) {
    run(std::move(how), root);
    leaks.done(options.name);
  } else {
    value result = run(std::move(how), root);
    leaks.done(options.name);
    return result;
  }
}

template <class F>
  requires(!std::is_same_v<F, test_options>)
auto run_test(F body) { return run_test(test_options{}, std::move(body)); }

} // namespace troupe::testing
