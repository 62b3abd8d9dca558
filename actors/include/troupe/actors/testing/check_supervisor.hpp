// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/supervisor.hpp>
#include <troupe/task.hpp>
#include <troupe/testing/test_failure.hpp>

#include <functional>
#include <string>
#include <utility>

namespace troupe::testing {

/// A supervisor that is checked: both are checkpoints, and do what those of `supervisor` do.
class checked_supervisor {
public:
  virtual ~checked_supervisor() = default;
  [[nodiscard]] virtual task<> start_child(const child_spec& spec) = 0;
  [[nodiscard]] virtual task<> stop_child(std::string name) = 0;
};

/// Runs a coroutine with a supervisor, whatever its type.
class supervisor_body {
public:
  explicit supervisor_body(std::function<task<>(checked_supervisor&)> body)
    : body_(std::move(body)) {}

  template <class Supervisor>
  task<> operator()(Supervisor& s) {
    adapted<Supervisor> as_checked(s);
    co_await body_(as_checked);
  }

private:
  template <class Supervisor>
  class adapted final : public checked_supervisor {
  public:
    explicit adapted(Supervisor& s) noexcept : supervisor_(s) {}
    task<> start_child(const child_spec& spec) override { return supervisor_.start_child(spec); }
    task<> stop_child(std::string name) override { return supervisor_.stop_child(std::move(name)); }

  private:
    Supervisor& supervisor_;
  };

  std::function<task<>(checked_supervisor&)> body_;
};

/// Runs `body(s)` with a supervisor of these options, and returns when the body has ended and no
/// child is left that runs or is to be started again.
using supervisor_runner =
  std::function<task<>(const supervisor_options& options, supervisor_body body)>;

/// Checks that supervisors which `run(options, body)` runs `body(s)` with keep the rules that the
/// documentation of `troupe/actors/supervisor.hpp` says (P15, P16): children start in order and
/// stop in reverse order; restart type and strategy say who is started again, and two lives of one
/// child never overlap; a supervisor that would restart too often gives up, and is a failure for
/// the one above; a start that fails or is cancelled leaves no child; no failure is lost; nothing
/// is left at the end, whenever it is cancelled.
///
///     co_await check_supervisor([](const supervisor_options& options, supervisor_body body)
///                                 -> task<> { co_await with_supervisor(options, body); });
///
/// Of the options `restart_strategy` (all four), `intensity`, `period` and `on_event` are used, of
/// the events those of kind `failed`; of a child `name`, `start` (without and with a
/// `task_status`) and `restarts`. For virtual time (`run_virtually`). Throws `test_failure` that
/// says which rule is broken and how. A checkpoint.
[[nodiscard]] task<> check_supervisor(supervisor_runner run);

} // namespace troupe::testing
