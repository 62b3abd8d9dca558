// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/child_spec.hpp>
#include <troupe/actors/supervisor_event.hpp>
#include <troupe/awaited_function.hpp>
#include <troupe/channel.hpp>
#include <troupe/retry.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace troupe {

/// Which children a supervisor starts again when one has ended.
enum class strategy {
  one_for_one,        ///< that one
  one_for_all,        ///< all
  rest_for_one,       ///< that one and those behind it
  simple_one_for_one, ///< that one. For many that come and go: one that has ended for good is
                      ///< forgotten, and all are stopped at the same time
};

/// Whether a supervisor ends when significant children have ended by themselves and are not
/// started again.
enum class auto_shutdown { never, any_significant, all_significant };

/// How a supervisor behaves. The numbers are OTP's. Give a variable: g++ 12 destroys braced
/// temporaries in an await twice.
struct supervisor_options {
  std::string name = "supervisor"; ///< for messages and the task tree
  strategy restart_strategy = strategy::one_for_one;
  std::size_t intensity = 1;                 ///< so many restarts within
  duration period = std::chrono::seconds(5); ///< this time; with one more it gives up
  auto_shutdown shutdown = auto_shutdown::never;

  /// The time before a restart; of the policy, the delays, their jitter and `reset_after` count.
  /// If not given, children are started again at once.
  std::optional<retry_policy> backoff = std::nullopt;

  /// Hears of all that happens. Must not throw. By default, failures are written to stderr.
  std::function<void(const supervisor_event&)> on_event = {};
};

/// A supervisor would have had to restart too often. As a failure of its task it reaches the
/// supervisor above.
class restart_limit_reached : public std::runtime_error {
public:
  restart_limit_reached(const std::string& what, std::exception_ptr cause)
    : std::runtime_error(what), cause_(std::move(cause)) {}

  /// The child's last failure; null if it has ended without one.
  [[nodiscard]] const std::exception_ptr& cause() const noexcept { return cause_; }

private:
  std::exception_ptr cause_;
};

/// A supervisor has a child of this name already, or none; or it is ending.
class supervisor_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

struct child_start_request;

/// Makes a child of a message: what `child_start_request::kind` stands for. The name is that of the
/// request. Throws where there is no such kind.
using child_factory = std::function<child_spec(const child_start_request&)>;

/// A nursery with a restart policy. Children start in order, each when the one before is ready, and
/// are stopped in reverse order, each when the one behind it has ended; two lives of one child
/// never overlap. A child's failure does not reach its siblings: it is reported (`on_event`), and
/// the strategy says who is started again. A supervisor that would do so too often gives up: it
/// stops its children and throws `restart_limit_reached`.
///
/// All members are for the loop of the supervisor. After Erlang/OTP's `supervisor`.
class supervisor {
public:
  supervisor(const supervisor&) = delete;
  supervisor& operator=(const supervisor&) = delete;

  /// Starts one more child, behind all others, and waits until it is ready. Throws what the
  /// child has thrown before that, and `supervisor_error` if the name is taken; then, and when
  /// cancelled, there is no such child. A checkpoint.
  [[nodiscard]] task<> start_child(const child_spec& spec);
  task<> start_child(child_spec&&) = delete; // give it a name: see supervisor_options

  /// Stops a child, which stays known unless it is temporary. No effect on one that has ended.
  /// Throws `supervisor_error`. A checkpoint; cancelled, the child ends all the same.
  [[nodiscard]] task<> stop_child(std::string name);

  /// Starts a child that was stopped or has ended. No effect on one that runs. Throws what the
  /// child has thrown before it was ready, and `supervisor_error`; it stays known. A checkpoint.
  [[nodiscard]] task<> restart_child(std::string name);

  /// Forgets a child that was stopped or has ended. Throws `supervisor_error`, also when it runs
  /// or is to be started again. A checkpoint.
  [[nodiscard]] task<> delete_child(std::string name);

  /// The children, in the order of their start. Not a checkpoint.
  [[nodiscard]] std::vector<child_info> children() const;

  /// What happens from now on. One who reads too slowly misses events, and is told how many.
  /// Not a checkpoint. Throws `std::bad_alloc`.
  [[nodiscard]] receive_channel<supervisor_event> events(std::size_t capacity = 64);

  /// Makes an actor of it, for the messages of `supervisor_messages.hpp`: starts (with what `make`
  /// makes, if given), stops, restarts, deletes and lists children. For the body, or a task in it.
  /// Returns when cancelled. A checkpoint.
  [[nodiscard]] task<> serve(mailbox& in, child_factory make = {});

  [[nodiscard]] const std::string& name() const noexcept;

  /// Runs a supervisor; see `with_supervisor`, which gives the body's value, too. A checkpoint.
  [[nodiscard]] static task<> run(const supervisor_options& options,
                                  const std::function<task<>(supervisor&)>& body);

private:
  class core;
  explicit supervisor(core& c) noexcept : core_(c) {}

  core& core_;
};

/// Runs `body(s)`, a coroutine that starts children and may go on to do other things, with a
/// supervisor. Returns when the body has ended and no child is left that runs or is to be started
/// again; gives the body's value. A soft stop (`nursery::stop`) and cancellation stop the children
/// in reverse order; but a soft stop of a nursery around is heard by all of them at once
/// (`stopping()`).
///
///     supervisor_options options;
///     co_await with_supervisor(options, [&](supervisor& s) -> task<> {
///       co_await s.start_child(database);
///       co_await s.start_child(web_server);
///     });
///
/// Throws what the body throws, and `restart_limit_reached`; the children are stopped before.
/// `task_cancelled` if the body has a value and was cut off by a shut-down. A checkpoint.
template <class Body>
[[nodiscard]] auto with_supervisor(const supervisor_options& options, Body&& body);

/// A supervisor of `children`, until it is stopped, cancelled or shut down by its significant
/// children; then it returns. For a child of another supervisor. Throws what a child throws that
/// cannot be started at the beginning, and `restart_limit_reached`. A checkpoint.
[[nodiscard]] task<> supervise(supervisor_options options, std::vector<child_spec> children);

// -- implementation -----------------------------------------------------------------

namespace supervision {

[[noreturn]] void throw_cut_off(const std::string& name);

template <class Body>
task<typename std::invoke_result_t<Body&, supervisor&>::value_type> run(supervisor_options options,
                                                                        Body body) {
  using value = typename std::invoke_result_t<Body&, supervisor&>::value_type;
  if constexpr (std::is_void_v<value>) {
    const std::function<task<>(supervisor&)> call = std::ref(body);
    co_await supervisor::run(options, call);
  } else {
    std::optional<value> result;
    const std::function<task<>(supervisor&)> call = [&](supervisor& s) -> task<> {
      result.emplace(co_await std::invoke(body, s));
    };
    co_await supervisor::run(options, call);
    if (!result)
      throw_cut_off(options.name);
    co_return *std::move(result);
  }
}

} // namespace supervision

template <class Body>
auto with_supervisor(const supervisor_options& options, Body&& body) {
  check_awaited_arguments<Body>();
  return supervision::run<std::decay_t<Body>>(options, std::forward<Body>(body));
}

} // namespace troupe
