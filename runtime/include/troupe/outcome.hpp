// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/task.hpp>

#include <exception>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>

namespace troupe {

/// `T`, or `std::monostate` for void: what a result is kept as.
template <class T>
using result_value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

/// How a task has ended: with a value, with an exception, or cancelled. What
/// `gather_settled` gives for each task.
template <class T>
class outcome {
public:
  using value_type = result_value<T>;

  /// It has ended with `value`.
  explicit outcome(value_type value) : value_(std::move(value)) {}

  /// It has thrown `error`, or, if `was_cancelled`, was cancelled: `error` is the
  /// `task_cancelled` that says so.
  explicit outcome(std::exception_ptr error, bool was_cancelled = false) noexcept
    : error_(std::move(error)), cancelled_(was_cancelled) {}

  [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }
  [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }

  /// It has thrown.
  [[nodiscard]] bool failed() const noexcept { return !value_ && !cancelled_; }

  /// It was cancelled.
  [[nodiscard]] bool cancelled() const noexcept { return cancelled_; }

  /// What it has thrown, a `task_cancelled` if it was cancelled; null if it has a
  /// value.
  [[nodiscard]] const std::exception_ptr& error() const noexcept { return error_; }

  /// The code of a `std::system_error` (`net_error`, `file_error` ...) that it has thrown;
  /// none if it has thrown something else, or nothing.
  [[nodiscard]] std::error_code code() const noexcept {
    if (failed())
      try {
        std::rethrow_exception(error_);
      } catch (const std::system_error& e) {
        return e.code();
      } catch (...) { // NOLINT(bugprone-empty-catch): has no code
      }
    return {};
  }

  /// The value. Throws `error()` if there is none.
  [[nodiscard]] value_type& value() & {
    check();
    return *value_;
  }
  [[nodiscard]] const value_type& value() const& {
    check();
    return *value_;
  }
  [[nodiscard]] value_type&& value() && {
    check();
    return *std::move(value_);
  }

private:
  void check() const {
    if (!value_)
      std::rethrow_exception(error_);
  }

  std::optional<value_type> value_;
  std::exception_ptr error_;
  bool cancelled_ = false;
};

namespace detail {

/// Awaits a task as its own awaiter does, and gives what it has thrown without throwing it again.
template <class T>
class [[nodiscard]] outcome_awaiter : public task_awaiter<T> {
public:
  using troupe_awaitable = void;
  using value_type = outcome<T>;
  using task_awaiter<T>::task_awaiter;

  outcome<T> await_resume() {
    if (this->error)
      return outcome<T>(std::exchange(this->error, {}));
    if constexpr (std::is_void_v<T>)
      return outcome<T>(std::monostate());
    else
      return outcome<T>(std::move(*this->value));
  }
};

} // namespace detail

/// The form of any call that does not throw:
///
///     const auto s = co_await as_outcome(open_tcp_stream(host, port));
///     if (s.code() == std::errc::connection_refused) ...
///
/// Awaits `call` and gives its value or what it has thrown. Cancellation goes on through it. A
/// checkpoint where `call` is one. Throws `usage_error` if it was awaited before.
template <class T>
[[nodiscard]] auto as_outcome(task<T> call) {
  return detail::outcome_awaiter<T>(std::move(call).release());
}

} // namespace troupe
