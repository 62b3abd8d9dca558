// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/simulation.hpp>
#include <troupe/run.hpp>
#include <troupe/testing/faults.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace troupe::testing {

class trace;

/// Who decides what comes next where a real run could go on in several ways.
enum class schedule {
  in_turn,    ///< no chance: each loop goes on for as long as it has something to do
  random,     ///< each time anew
  priorities, ///< by priorities that are drawn at the start and change a few times (PCT): finds
              ///< what needs few changes of turn, at the wrong places, sooner than `random`
};

/// One decision of a schedule: `taken` (from 0) out of `of` ways. 0 is what `in_turn` does.
struct choice {
  std::uint32_t taken = 0;
  std::uint32_t of = 0;
};

/// Draws that are not what the seed says: `bits`, from the `first` to the `last` of them,
/// counted from 0 as the seed has them. Without `bits` these are left out: who draws gets the
/// one behind them. 0 is the simplest: the smallest `random_bits() % n` and `random_fraction()`;
/// and of what else is left to chance it is no time, and no harm.
struct redraw {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::optional<std::uint64_t> bits;

  friend bool operator==(const redraw&, const redraw&) = default;
};

/// Something that has to hold after each step.
struct invariant {
  std::string name;
  std::function<bool()> holds; ///< called outside of all tasks; must not suspend or wait
};

/// How `simulate` runs a program.
struct simulation_options {
  unsigned loops = 2;
  schedule order = schedule::random;
  unsigned changes = 3;        ///< of `schedule::priorities`, the most
  std::uint64_t expected = 0;  ///< ...spread over the first so many decisions; 0: `explore`
                               ///< looks how many there are
  std::vector<choice> choices; ///< are taken first, before the schedule is asked
  std::vector<redraw> draws;   ///< of `random_bits`, in order; not those of the seed
  std::vector<redraw> chances; ///< the same of what else is left to chance: when faults strike,
                               ///< what networks and disks of the test kit do, `step_time`
  bool shuffle_ready = false;  ///< tasks that are ready on one loop run in any order; in real
                               ///< runs they do in the order in which they became ready
  duration step_time{};        ///< the most that one step takes; else time stands still as
                               ///< long as anything can run
  std::uint64_t max_steps = 1'000'000; ///< after which it is said to have no end
  std::size_t log_size = 200;          ///< entries of the event log that are kept
  bool may_read_clocks = false;        ///< the program may read the machine's; a run in which
                                       ///< that matters may not come back
  std::vector<invariant> invariants;
  std::vector<fault> faults;                            ///< see faults.hpp
  troupe::detail::configure_actors_fn configure_actors; ///< as in `run_options`
  troupe::detail::network* network = nullptr;           ///< see network.hpp
  trace* record = nullptr; ///< a picture of one run, see trace.hpp; `explore`: of what it has found
};

/// What has come of a simulation.
struct simulation_report {
  std::uint64_t seed = 0;
  std::uint64_t steps = 0;
  std::uint64_t hash = 0;             ///< of the event log: equal for the same program and seed
  duration elapsed{};                 ///< virtual time
  std::vector<choice> choices;        ///< where there was one to make
  std::size_t given = 0;              ///< so many of them, the first, were those of the options
  std::uint64_t drawn = 0;            ///< draws of `random_bits`, with those left out
  std::uint64_t chanced = 0;          ///< ...and of what else is left to chance
  std::vector<redraw> draws, chances; ///< those of the options
  std::uint64_t strikes = 0;          ///< of the faults of the plan
  std::exception_ptr failure;         ///< what the program has thrown, or a `test_failure`
  std::vector<std::size_t> unmatched; ///< the faults of the plan, from 0, whose names nothing
                                      ///< has had: a failure, if there is no other
  std::string log;                    ///< the end of the event log, if it has failed

  [[nodiscard]] bool failed() const noexcept { return failure != nullptr; }

  /// The text of the failure; empty if there is none.
  [[nodiscard]] std::string why() const;

  /// The failure, the event log, and what to give to `simulate` to bring it back besides the
  /// same options: the seed, and the choices and draws if there were any. Empty if there is none.
  [[nodiscard]] std::string text() const;
};

template <class T>
struct simulation_result : simulation_report {
  std::optional<T> result; ///< if it has not failed

  /// The result. Throws the failure.
  T value() && {
    if (failure)
      std::rethrow_exception(failure);
    return std::move(*result);
  }
};

template <>
struct simulation_result<void> : simulation_report {
  /// Throws the failure, if there is one.
  void value() const {
    if (failure)
      std::rethrow_exception(failure);
  }
};

namespace internal {

class simulator;

/// The simulation of one run: what `simulate` does that depends on no type.
class simulated_run {
public:
  /// Makes the runtime. `options` have to outlive this. Throws as `runtime` does, and
  /// `usage_error` for options that cannot be.
  simulated_run(std::uint64_t seed, const simulation_options& options);
  simulated_run(const simulated_run&) = delete;
  simulated_run& operator=(const simulated_run&) = delete;
  ~simulated_run();

  [[nodiscard]] troupe::detail::runtime& runtime() noexcept;

  /// The program has thrown this.
  void threw(std::exception_ptr e) noexcept;

  /// What runs there can neither go on nor end: it is left behind, and nothing that it
  /// refers to may be destroyed.
  [[nodiscard]] bool stuck() const noexcept;

  /// Ends the runtime, when the root is gone or was left behind.
  void end(simulation_report& into);

private:
  std::unique_ptr<simulator> simulator_;
  std::unique_ptr<troupe::detail::runtime> runtime_;
};

} // namespace internal

/// Runs `fn()`, a coroutine, as the root task of a runtime with so many loops as `options`
/// say, all on the calling thread, a step of one task after the other, in an order that
/// follows from `seed`, on virtual time. The same program with the same seed and options
/// makes the same run: `random_bits`, the time, the order in which messages of several loops
/// arrive, and of jobs on threads, which run one after the other as steps of their own.
///
/// The time stands still as long as anything can run, and then jumps to the next timer. When
/// nothing can run and no timer is left, it is a deadlock: the root is cancelled, and the
/// failure is a `test_failure` that shows the task tree as it was. So is a program that has
/// no end, and an invariant that does not hold.
///
/// What the real machine would decide is refused with a `usage_error` that names the call:
/// real sockets, processes, signals, `from_thread`. Files are read and written for real. Where the
/// program reads the machine's clock (`std::chrono::steady_clock::now()`, `std::time`, and so on)
/// the run fails with a `test_failure` that names the call and the task; libraries of the system
/// may read it for themselves. What else the program takes from the machine (threads of its own,
/// addresses as keys) is its own affair, and makes runs that cannot be repeated.
///
/// Throws nothing of the program's: it is in the result. Throws `usage_error` inside of a
/// task, and for options that cannot be: no loops, draws that are not in order or beyond the
/// first ten million, a chance that is left out.
template <class F>
auto simulate(std::uint64_t seed, F fn, const simulation_options& options = {}) {
  using value = typename troupe::detail::task_of<F>::value;
  using root_task = troupe::detail::root_task<value, F>;
  simulation_result<value> result;
  internal::simulated_run run(seed, options);
  auto& rt = run.runtime();
  auto root = std::make_unique<root_task>(rt.at(0), std::move(fn));
  try {
    if constexpr (std::is_void_v<value>)
      root->run_to_end(rt);
    else
      result.result.emplace(root->run_to_end(rt));
  } catch (...) {
    run.threw(std::current_exception());
  }
  if (run.stuck())
    static_cast<void>(root.release());
  root.reset();
  run.end(result);
  return result;
}

} // namespace troupe::testing
