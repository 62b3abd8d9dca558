// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "draws.hpp"
#include "event_log.hpp"
#include "fault_injector.hpp"
#include "order.hpp"

#include <troupe/detail/runtime.hpp>
#include <troupe/detail/simulation.hpp>
#include <troupe/detail/thread_job.hpp>
#include <troupe/testing/simulation.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace troupe::testing::internal {

/// Looks at things after each step.
struct watch_tag;
class step_watch : public troupe::detail::list_node<watch_tag> {
public:
  /// Outside of all tasks. May leave.
  virtual void after_step() noexcept = 0;

protected:
  ~step_watch() { unlink(); }
};

/// Makes the loops of a runtime take turns, one step at a time.
///
/// A step is what a loop does between two looks around: it runs one entry of its ready
/// queue, or one message, or the timers of one time; a job for a thread is one, too. Which
/// of those that could be next is next, `order` says, except that nobody waits for ever:
/// what could have been next for long enough is next.
class simulator final : public troupe::detail::simulation {
public:
  simulator(std::uint64_t seed, const simulation_options& options);

  /// That of this thread, or null.
  [[nodiscard]] static simulator* current() noexcept {
    return static_cast<simulator*>(simulation::current());
  }

  [[nodiscard]] time_point now() const noexcept override { return now_; }

  void watch(step_watch& w) noexcept { watches_.push_back(w); }

  void run_root(troupe::detail::runtime& rt, troupe::detail::task_block& root) override;
  bool run_until(troupe::detail::runtime& rt, const std::function<bool()>& over) noexcept override;
  void settle(troupe::detail::runtime& rt) noexcept override;
  void left_behind(std::size_t actors) noexcept override;
  [[nodiscard]] std::uint64_t random_bits() noexcept override { return draws_.next(random_); }
  /// `bits`, which a generator of somebody else's has drawn, unless the options have something
  /// else in its place: 0, if all is to be well. What stands in for the machine asks this.
  [[nodiscard]] static std::uint64_t leave_to_chance(std::uint64_t bits) noexcept {
    simulator* const s = current();
    return s ? s->chances_.next([bits] { return bits; }) : bits;
  }
  /// Whether something happens that does with this `chance`, by `bits` that were drawn for it. The
  /// other way round, so that 0 in their place lets nothing happen.
  [[nodiscard]] static bool happens(double chance, std::uint64_t bits) noexcept {
    return fraction_of(~leave_to_chance(~bits)) < chance;
  }
  void submit(troupe::detail::thread_job& job) noexcept override { jobs_.push_back(job); }

  /// The run has failed. What comes first counts.
  void fail(const std::string& why) noexcept;
  void fail(std::exception_ptr why) noexcept;

  [[nodiscard]] bool stuck() const noexcept { return stuck_; }
  void report(simulation_report& into) const;

private:
  using loop = troupe::detail::loop;
  using ready_node = troupe::detail::ready_node;
  using task_block = troupe::detail::task_block;

  /// What could be next.
  struct candidate {
    step_kind kind{};
    std::uint32_t loop = 0;
    ready_node* node = nullptr;
    troupe::detail::thread_job* job = nullptr;
  };
  /// Something that one loop has to do, or the threads together.
  struct source {
    std::uint64_t idle_at = 0; // the step before which it had nothing, or was next
    std::uint64_t passed = 0;  // times in which its first one was not
  };

  enum class outcome { over, nothing_left, no_end, failed };
  template <class Over>
  outcome go(troupe::detail::runtime& rt, Over over, bool let_time_pass = true);

  [[nodiscard]] bool step(troupe::detail::runtime& rt);
  [[nodiscard]] bool wake_those_who_wait_for_idle(troupe::detail::runtime& rt) noexcept;
  [[nodiscard]] bool pass_time(troupe::detail::runtime& rt) noexcept;
  void collect(troupe::detail::runtime& rt);
  void collect_ready(loop& l, ready_node& first);
  void run_task(task_block& t, event_log::step& s) noexcept;
  void collect_jobs();
  [[nodiscard]] bool offer(source& s, bool there) noexcept;
  [[nodiscard]] candidate pick();
  void run(troupe::detail::runtime& rt, const candidate& c) noexcept;
  template <class Step>
  void run_and_log_ready(loop& l, event_log::step& s, Step step) noexcept;
  void look() noexcept;
  [[nodiscard]] source& source_of(step_kind kind, std::uint32_t l) noexcept;

  const simulation_options& options_;
  const std::uint64_t seed_;
  order order_;
  event_log log_;
  fault_injector faults_;
  std::mt19937_64 random_;      // for the program
  draws draws_;                 // of it
  draws chances_;               // of all others
  std::mt19937_64 step_random_; // for how long a step takes
  time_point now_{};
  std::uint64_t limit_; // of steps
  troupe::detail::list<troupe::detail::thread_job, troupe::detail::job_tag> jobs_;
  troupe::detail::list<step_watch, watch_tag> watches_;
  std::vector<source> sources_;
  std::vector<candidate> candidates_;
  std::vector<std::uint64_t> keys_;
  source* starving_ = nullptr;
  std::uint32_t turn_ = 0; // the loop that made the last step
  std::exception_ptr failure_;
  bool stuck_ = false;
};

} // namespace troupe::testing::internal
