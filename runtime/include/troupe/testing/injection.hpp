// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/task.hpp>
#include <troupe/testing/simulation.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <vector>

namespace troupe::testing {

/// One run of a scenario in which something was done to it at one point.
struct injection {
  std::size_t point = 0; ///< after so many steps, or at the allocation of this number, from 1
  bool finished = false; ///< the scenario has run to its end all the same
};

/// Called after each run, outside of all tasks: looks whether all is as it should be, and
/// throws if it is not.
using injection_check = std::function<void(const injection&)>;

/// What is done to a scenario.
enum class cut {
  scope,   ///< a scope around it is cancelled
  task,    ///< its task is cancelled
  sibling, ///< another task of its nursery fails
  failure, ///< the task that has come to the k-th checkpoint, its own or one below it, fails there;
           ///< others may fail because of that, and be in a group with it
};

/// How `for_each_checkpoint` runs a scenario.
struct checkpoint_options {
  unsigned loops = 1;
  bool real = false; ///< on threads, with sockets, one loop on virtual time; else simulated
  cut how = cut::scope;
  std::exception_ptr error;  ///< what fails there fails with this; null: with one of its own
  std::size_t most = 10'000; ///< points; more are a failure
  std::uint64_t seed = 1;    ///< simulated, of what the scenario draws; loops take turns
  std::vector<invariant> invariants;          ///< simulated, hold after each step
  troupe::detail::network* network = nullptr; ///< simulated: see network.hpp
  bool may_read_clocks = false;               ///< simulated, as in `simulation_options`
};

/// Runs the scenario again and again, each time as if new, and cuts it off after its k-th
/// step, for every k from 0 on, until it ends before that: a step of a task ends where it
/// waits or gives way, so it is cut off in each of its checkpoints. Counted are the steps, or
/// for `cut::failure` the checkpoints, on the loop that it is called on.
///
/// After each run `check` is called; and it is looked whether a task, frame, thread or
/// descriptor is left, whether anything but the cancellation, or the failure, came out, and,
/// simulated, whether all has ended: so each request was answered or has failed. What is
/// wrong is a `test_failure` that says at which k. Returns how many there were. Throws
/// `usage_error` inside of a task. For one thread at a time.
std::size_t for_each_checkpoint(const std::function<task<>()>& scenario,
                                const injection_check& check,
                                const checkpoint_options& options = {});

/// How `for_each_allocation` runs a scenario.
struct allocation_options {
  unsigned loops = 1;
  bool and_all_after = false; ///< all allocations from the k-th on fail
  bool whole_run = false;     ///< those of the runtime around the scenario, too
  std::size_t most = 10'000;  ///< points; more are a failure
};

/// Runs the scenario again and again, on real loops (one is on virtual time), and lets its k-th
/// call of `operator new` fail with `std::bad_alloc`, for every k, on whatever thread, until there
/// is none that has this number.
///
/// After each run `check` is called; and it is looked whether what has come out, if anything,
/// was for want of memory, and whether any memory is left that was not there before. What is
/// wrong is a `test_failure` that says at which k. Returns how many there were.
///
/// The program has to include `troupe/testing/replace_new.hpp` in one of its sources: else
/// this throws `usage_error`. It throws that inside of a task, too. For one thread at a time.
std::size_t for_each_allocation(const std::function<task<>()>& scenario,
                                const injection_check& check,
                                const allocation_options& options = {});

/// Whether a failure says that there was no memory: `std::bad_alloc`, a `std::system_error` of
/// that kind, or a group of nothing else.
[[nodiscard]] bool is_out_of_memory(const std::exception_ptr& e);

} // namespace troupe::testing
