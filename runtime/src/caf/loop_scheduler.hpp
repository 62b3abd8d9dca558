// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "loop_clock.hpp"

#include <troupe/detail/runtime.hpp>

#include <caf/actor_system.hpp>
#include <caf/execution_unit.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace troupe::detail {

class loop_scheduler;

/// The CAF jobs of one loop: ordinary actors that have something to do. All of
/// them together are one entry of the loop's ready queue, so that a flood of
/// messages cannot keep tasks, timers and sockets waiting.
class loop_jobs final : public caf::execution_unit, private ready_callback {
public:
  loop_jobs(loop_scheduler& owner, loop& home) noexcept;

  /// Takes a reference to `job` over. Any thread.
  void exec_later(caf::resumable* job) override;

  /// Lets go of all jobs, and of those that may still come. On the loop.
  void close() noexcept;

private:
  class message;

  /// How many jobs run, with how many messages each, before the loop looks at
  /// what else there is.
  static constexpr std::size_t jobs_per_turn = 8;
  static constexpr std::size_t messages_per_job = 64;

  void run() noexcept override;
  void run_in_simulation() noexcept;
  void run_one(caf::resumable* job, std::size_t messages) noexcept;
  void push(caf::resumable* job);
  void share() noexcept;

  loop_scheduler& owner_;
  loop& loop_;
  std::deque<caf::resumable*> jobs_;
  bool closed_ = false;
};

/// CAF's scheduler module on the loops of a `runtime`: one it makes itself, or
/// one that is there already.
class loop_scheduler final : public caf::scheduler::abstract_coordinator {
public:
  loop_scheduler(caf::actor_system& sys, runtime* rt);
  ~loop_scheduler() override;

  void init(caf::actor_system_config& config) override;
  void start() override;
  void stop() override;
  void enqueue(caf::resumable* job) override;
  caf::actor_clock& clock() noexcept override { return *clock_; }

  /// A loop that sleeps, other than `here`; null if there is none.
  [[nodiscard]] loop_jobs* idle(const loop& here) noexcept;

  /// What the user's configuration allows, if it is less than `ours`.
  [[nodiscard]] std::size_t throughput(std::size_t ours) const noexcept;

  [[nodiscard]] runtime& loops() noexcept { return *runtime_; }

private:
  class on_loop;

  /// Calls `f(index)` on each loop and waits. Not on a loop.
  void on_each_loop(const std::function<void(std::size_t)>& f);

  std::unique_ptr<runtime> owned_;
  runtime* runtime_;
  std::optional<loop_clock> clock_;
  std::vector<std::unique_ptr<loop_jobs>> jobs_;
};

} // namespace troupe::detail
