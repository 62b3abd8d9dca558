// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/testing/check_supervisor.hpp>
#include <troupe/exception_group.hpp>

#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <string>

// What the rules of supervisors are tried with.
namespace troupe::testing::supervised {

/// What has happened to children, in order: "+a" lives, "!a" is ready, "(a" cleans up, "-a" has
/// ended. They share it, for of a supervisor that is broken some may be left.
struct diary {
  std::string text;
  std::map<std::string, int> lives, living;
  bool overlapped = false;
  std::string told; // failures, as events

  [[nodiscard]] int alive() const noexcept;
};
using diary_ptr = std::shared_ptr<diary>;

/// What a child does in its first, second ... life.
using what_it_does = std::function<task<>(int life)>;

struct child_plan {
  std::string name;
  restart restarts = restart::permanent;
  what_it_does does = {};                  // else it sleeps
  duration ready_after = duration::zero(); // of a slow child
  int fails_from = 0, fails_to = 100;      // of a slow child: the lives that do not get ready
  duration clean_up = duration::zero();
  bool clean_up_fails = false;
};

/// A child that is ready at once.
[[nodiscard]] child_spec plain_child(const diary_ptr& d, child_plan plan);

/// A child that says when it is ready, by default after a second.
[[nodiscard]] child_spec slow_child(const diary_ptr& d, child_plan plan);

enum class end_kind { returns, throws, is_cancelled };

/// Ends in its first lives, up to this one, after so long. Later ones sleep.
[[nodiscard]] what_it_does end_up_to(int last, duration after, end_kind how);
[[nodiscard]] what_it_does fail_up_to(int last, duration after);

[[nodiscard]] std::string text_of(strategy s);
[[nodiscard]] std::string text_of(restart r);
[[nodiscard]] std::string text_of(end_kind k);

/// How a supervisor has ended: cut off, by what it has thrown, or else by itself.
struct ending {
  bool cut_off = false;
  std::exception_ptr error;

  [[nodiscard]] std::string text() const;
};

/// Supervises until the body has ended and no child is left, or, at the most, for so long.
[[nodiscard]] task<ending> supervise(const supervisor_runner& run,
                                     const supervisor_options& options, duration most,
                                     std::function<task<>(checked_supervisor&)> body);

/// Options of a supervisor that says nothing.
[[nodiscard]] supervisor_options quiet(strategy how = strategy::one_for_one);

/// Throw a `test_failure`.
void require(bool holds, const std::string& otherwise);
void require_same(const std::string& who, const std::string& is, const std::string& expected);

/// The failure itself, for as long as `error` lives, or null.
template <class E>
[[nodiscard]] const E* as(const std::exception_ptr& error) {
  try {
    if (error)
      std::rethrow_exception(error);
  } catch (const E& e) {
    return &e;
  } catch (...) { // NOLINT(bugprone-empty-catch): another
  }
  return nullptr;
}

// -- rules -----------------------------------------------------------------------------

task<> body_failure_comes_out(const supervisor_runner& run);
task<> giving_up(const supervisor_runner& run);
task<> failed_restarts_count(const supervisor_runner& run);
task<> giving_up_is_a_failure(const supervisor_runner& run);
task<> failing_starts(const supervisor_runner& run);
task<> cancelled_starts(const supervisor_runner& run);
task<> no_failure_is_lost(const supervisor_runner& run);

} // namespace troupe::testing::supervised
