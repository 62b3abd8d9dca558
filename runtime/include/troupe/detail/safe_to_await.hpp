// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <type_traits>
#include <utility>

/// g++ destroys the parts of some temporaries of a co_await expression twice: those of
/// aggregates, and what a lambda captures by value (seen in 12; its coroutines were
/// reworked for 15). What is awaited refuses arguments that could be such; harmless are
/// those that have a name, and those with nothing to destroy.
namespace troupe::detail {

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 15

/// A lambda that captures can be neither made from nothing nor assigned to.
template <class F>
inline constexpr bool like_a_lambda =
  std::is_class_v<F> && !std::is_default_constructible_v<F> && !std::is_move_assignable_v<F>;

/// `T` as a forwarding reference deduces it.
template <class T, class Value = std::remove_cvref_t<T>>
inline constexpr bool safe_to_await =
  std::is_lvalue_reference_v<
    T> || std::is_trivially_destructible_v<Value> || !(std::is_aggregate_v<Value> || like_a_lambda<Value>);

#else

template <class T>
inline constexpr bool safe_to_await = true;

#endif

template <class... Ts>
constexpr void check_awaited_arguments() {
  static_assert((safe_to_await<Ts> && ...),
                "troupe: this compiler destroys twice what a temporary lambda has captured by "
                "value, or a temporary aggregate holds, in a co_await expression: give it a "
                "name and pass the name (or std::ref(name)), or capture by reference");
}

/// A `std::function` parameter of something that is awaited.
template <class Signature>
class awaited_function : public std::function<Signature> {
public:
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, awaited_function>)
  awaited_function(F&& fn) // NOLINT(google-explicit-constructor): as std::function
    : std::function<Signature>(std::forward<F>(fn)) {
    check_awaited_arguments<F>();
  }
};

} // namespace troupe::detail
