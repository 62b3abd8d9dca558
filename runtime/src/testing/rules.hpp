// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/cancel_scope.hpp>
#include <troupe/exception_group.hpp>
#include <troupe/testing/test_failure.hpp>
#include <troupe/testing/wait_all_tasks_blocked.hpp>
#include <troupe/time.hpp>

#include <exception>
#include <string>
#include <string_view>
#include <utility>

// What all check suites have in common.
namespace troupe::testing {

/// Throws `test_failure` with `what` unless `holds`.
inline void require(bool holds, std::string_view what) {
  if (!holds)
    throw test_failure(std::string(what));
}

/// What `op()` throws; null if it returns.
template <class Op>
[[nodiscard]] task<std::exception_ptr> failure_of(Op& op) {
  try {
    co_await op();
  } catch (...) {
    co_return std::current_exception();
  }
  co_return nullptr;
}

/// Whether `error` is one of `Expected`.
template <class... Expected>
[[nodiscard]] bool is_one_of(const std::exception_ptr& error) {
  const auto is = [&error]<class E>(const E*) {
    try {
      std::rethrow_exception(error);
    } catch (const E&) {
      return true;
    } catch (...) {
      return false;
    }
  };
  return error && (is(static_cast<const Expected*>(nullptr)) || ...);
}

[[nodiscard]] inline std::string said(const std::exception_ptr& error) {
  return error ? "it throws: " + describe(error) : "it returns";
}

/// Throws `test_failure` unless `op()` throws one of `Expected`.
template <class... Expected, class Op>
[[nodiscard]] task<> expect(const char* what, Op& op) {
  const auto error = co_await failure_of(op);
  if (!is_one_of<Expected...>(error))
    throw test_failure(std::string(what) + ", but " + said(error));
}

/// Runs `body()` in a scope that is cancelled already; whether it returned all the same.
template <class Body>
[[nodiscard]] task<bool> returns_when_cancelled(Body& body) {
  co_return co_await with_cancel_scope([&body](cancel_scope& s) -> task<> {
    s.cancel("the check has cancelled it");
    co_await body();
  });
}

/// Tries one rule of a suite: `body()`, within `patience`. Throws `test_failure` that says
/// which it is and what `body` has thrown.
template <class Body>
[[nodiscard]] task<> check_rule(const char* suite, const char* says, duration patience,
                                Body& body) {
  std::exception_ptr error;
  const bool in_time =
    co_await move_on_after(patience, [&]() -> task<> { error = co_await failure_of(body); });
  if (in_time && !error)
    co_return;
  std::string why = "it hangs";
  if (error)
    why = describe(error);
  throw test_failure(std::string(suite) + ": " + says + ": " + why);
}

} // namespace troupe::testing
