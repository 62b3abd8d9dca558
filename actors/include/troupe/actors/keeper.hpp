// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>

namespace troupe {

/// Where a child leaves what its next life is to find. A supervised child begins with nothing; what
/// it wants to keep it says, by holding it as `kept` (or by `put`). A keeper belongs to whoever
/// owns the supervisor, and outlives the children. For one loop.
///
///     keeper<members> room_members;
///     child_spec room{.name = "room", .start = [&]() -> task<> {
///       kept<members> here(room_members); // as the last life has left it, or new
///       co_await run_room(*here);
///     }};
template <std::movable T>
class keeper {
public:
  keeper() = default;
  keeper(const keeper&) = delete;
  keeper& operator=(const keeper&) = delete;

  void put(T value) { value_.emplace(std::move(value)); }

  /// Gives it away; nothing if there is nothing.
  [[nodiscard]] std::optional<T> take() { return std::exchange(value_, std::nullopt); }

  [[nodiscard]] bool empty() const noexcept { return !value_.has_value(); }

private:
  std::optional<T> value_;
};

/// A value that goes back to its keeper when this goes: at the end of a life, at a failure and
/// when the child is cancelled. A value that may be half changed then is for `put` instead.
template <std::movable T>
  requires std::is_nothrow_move_constructible_v<T>
class kept {
public:
  /// What the keeper has; else a `T` made of `args`.
  template <class... Args>
    requires std::constructible_from<T, Args...>
  explicit kept(keeper<T>& k, Args&&... args)
    : keeper_(k), value_(k.empty() ? T(std::forward<Args>(args)...) : *k.take()) {}
  kept(const kept&) = delete;
  kept& operator=(const kept&) = delete;
  ~kept() { keeper_.put(std::move(value_)); }

  [[nodiscard]] T& operator*() noexcept { return value_; }
  [[nodiscard]] T* operator->() noexcept { return &value_; }

private:
  keeper<T>& keeper_;
  T value_;
};

} // namespace troupe
