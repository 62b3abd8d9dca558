// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/mailbox.hpp>
#include <troupe/nursery.hpp>
#include <troupe/task.hpp>

#include <caf/actor.hpp>

#include <concepts>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace troupe {

/// When a supervisor starts a child again that has ended by itself.
enum class restart {
  permanent, ///< always
  transient, ///< when it has failed or was cancelled
  temporary, ///< never; what has ended is forgotten
};

/// How a child is started: a function that a supervisor calls for each life of the child. One of
///
/// - `task<>()`: ready at once;
/// - `task<>(task_status<>&)`: ready when it has called `started`, which `start_child` and the
///   children that come after it wait for;
/// - `task<>(mailbox&)`: an actor; its address is in `supervisor::children`.
///
/// It is kept for the next life, so its captures are shared by all of them.
class child_start {
public:
  template <class F>
    requires(
      !std::same_as<
        std::remove_cvref_t<F>,
        child_start> && (std::is_invocable_r_v<task<>, F&> || std::is_invocable_r_v<task<>, F&, task_status<>&> || std::is_invocable_r_v<task<>, F&, mailbox&>))
  child_start(F fn) { // NOLINT(google-explicit-constructor): as std::function
    if constexpr (std::is_invocable_r_v<task<>, F&>)
      fn_.template emplace<plain_function>(std::move(fn));
    else if constexpr (std::is_invocable_r_v<task<>, F&, task_status<>&>)
      fn_.template emplace<status_function>(std::move(fn));
    else
      fn_.template emplace<actor_function>(std::move(fn));
  }

  /// Starts one life in `n`, and returns when it is ready. `completed` becomes true when it has
  /// returned, which a child that is cancelled does not. For supervisors. A checkpoint.
  [[nodiscard]] task<> launch(nursery& n, const std::string& name, std::optional<unsigned> loop,
                              bool& completed, caf::actor& address) const;

  /// The `task<>()`, or null if it is another: a life that needs no task beside that of the
  /// supervisor. For supervisors.
  [[nodiscard]] const std::function<task<>()>* plain() const noexcept {
    return std::get_if<plain_function>(&fn_);
  }

private:
  using plain_function = std::function<task<>()>;
  using status_function = std::function<task<>(task_status<>&)>;
  using actor_function = std::function<task<>(mailbox&)>;

  std::variant<plain_function, status_function, actor_function> fn_;
};

/// An ordinary CAF actor as a child: `spawn()` makes it.
///
///     child_spec logger{.name = "logger", .start = caf_child([] {
///       return actor_system().spawn(logger_behavior);
///     })};
///
/// The child ends when the actor does, and fails if that was not a normal end. When it is stopped,
/// the actor gets an exit message with `user_shutdown`, and `kill` when it has not ended after
/// `patience`.
[[nodiscard]] child_start caf_child(std::function<caf::actor()> spawn,
                                    duration patience = std::chrono::seconds(5));

/// What a supervisor knows of a child. With g++ 12, a variable: it destroys braced temporaries
/// in an await twice.
struct child_spec {
  std::string name;                            ///< no two of a supervisor's are the same
  child_start start;                           ///< how it is started
  restart restarts = restart::permanent;       ///< when it is started again
  duration grace = duration::zero();           ///< when it is stopped: asked to (`stopping()`),
                                               ///< and cancelled after this time
  bool significant = false;                    ///< see `auto_shutdown`
  std::optional<unsigned> loop = std::nullopt; ///< on which loop, modulo their number; else on
                                               ///< that of its supervisor
};

} // namespace troupe
