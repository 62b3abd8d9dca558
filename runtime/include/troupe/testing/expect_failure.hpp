// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/safe_to_await.hpp>
#include <troupe/exception_group.hpp>
#include <troupe/task.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace troupe::testing {

/// What a failure has to be. Made by `failure`, `failure_group` and `any_group`.
class failure_match {
public:
  /// One failure that `is_type` accepts. See `failure`.
  failure_match(const std::type_info& type, std::string_view text,
                std::function<bool(const std::exception_ptr&)> is_type);

  [[nodiscard]] bool matches(const std::exception_ptr& error) const;

  /// "timeout_error with 'x'", "a group of 2: ...".
  [[nodiscard]] const std::string& expected() const noexcept { return expected_; }

private:
  friend failure_match failure_group_of(std::vector<failure_match> of);
  friend failure_match any_group(std::size_t size);

  enum class kind { single, group, any_group };

  failure_match(kind k, std::string expected) : kind_(k), expected_(std::move(expected)) {}
  [[nodiscard]] bool matches_group(const exception_group& g) const;

  kind kind_;
  std::string expected_;
  std::function<bool(const std::exception_ptr&)> is_type_;
  bool can_be_group_ = false; // a single one
  std::string text_;
  std::vector<failure_match> of_;
  std::size_t size_ = 0;
};

/// A failure of type `E`, or of one derived from it, whose message contains `text`. A group
/// only if `E` is `exception_group`.
template <class E = std::exception>
[[nodiscard]] failure_match failure(std::string_view text = {}) {
  return failure_match(typeid(E), text, [](const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const E&) {
      return true;
    } catch (...) {
      return false;
    }
  });
}

/// A group of exactly these, in any order.
[[nodiscard]] failure_match failure_group_of(std::vector<failure_match> of);
template <class... Matches>
[[nodiscard]] failure_match failure_group(Matches... of) {
  std::vector<failure_match> all;
  (all.push_back(std::move(of)), ...);
  return failure_group_of(std::move(all));
}

/// A group of so many failures of any kind; 0: of any number.
[[nodiscard]] failure_match any_group(std::size_t size = 0);

/// Throws `test_failure`, which says what was expected and shows the tree of what came, if
/// `error` does not match. Null: nothing was thrown.
void check_failure(const failure_match& expected, const std::exception_ptr& error);

} // namespace troupe::testing

namespace troupe {

namespace detail {

template <class F>
inline constexpr bool calls_a_task = requires {
  typename std::invoke_result_t<F&>::troupe_awaitable;
};

template <class F>
task<std::exception_ptr> failure_of_task(testing::failure_match expected, F fn) {
  std::exception_ptr error;
  try {
    static_cast<void>(co_await std::invoke(fn));
  } catch (...) {
    error = std::current_exception();
  }
  testing::check_failure(expected, error);
  co_return error;
}

template <class F>
std::exception_ptr failure_of_call(const testing::failure_match& expected, F& fn) {
  std::exception_ptr error;
  try {
    static_cast<void>(std::invoke(fn));
  } catch (...) {
    error = std::current_exception();
  }
  testing::check_failure(expected, error);
  return error;
}

[[nodiscard]] exception_group group_in(const std::exception_ptr& error);

template <class F>
task<exception_group> group_of_task(testing::failure_match expected, F fn) {
  co_return group_in(co_await failure_of_task(std::move(expected), std::move(fn)));
}

} // namespace detail

} // namespace troupe

namespace troupe::testing {

/// Calls `fn()`, which has to fail as `expected` says, and gives the failure. If `fn` is a
/// coroutine, so is this, to be awaited: a checkpoint if `fn` is one. Throws `test_failure`
/// otherwise, `std::bad_alloc`. After Trio's `RaisesGroup`.
///
///     co_await testing::expect_failure(
///       testing::failure_group(testing::failure<timeout_error>(),
///       testing::failure<net_error>("refused")), body);
template <class F>
auto expect_failure(const failure_match& expected, F&& fn) {
  if constexpr (detail::calls_a_task<F>) {
    detail::check_awaited_arguments<F>();
    return detail::failure_of_task(expected, std::decay_t<F>(std::forward<F>(fn)));
  } else {
    return detail::failure_of_call(expected, fn);
  }
}

/// The same for a group of failures of these types, in any order; any group if none is
/// given. Gives the group.
///
///     const auto group = co_await testing::expect_exception_group<timeout_error, net_error>(body);
template <class... Es, class F>
auto expect_exception_group(F&& fn) {
  failure_match expected = sizeof...(Es) == 0 ? any_group() : failure_group(failure<Es>()...);
  if constexpr (detail::calls_a_task<F>) {
    detail::check_awaited_arguments<F>();
    return detail::group_of_task(std::move(expected), std::decay_t<F>(std::forward<F>(fn)));
  } else {
    return detail::group_in(detail::failure_of_call(expected, fn));
  }
}

} // namespace troupe::testing
