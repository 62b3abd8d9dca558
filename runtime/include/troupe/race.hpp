// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/combine.hpp>

#include <cstddef>
#include <optional>
#include <source_location>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

namespace troupe {

/// Who has won a race between tasks of one type.
template <class T>
struct race_winner {
  std::size_t index;     ///< its place in the list
  result_value<T> value; ///< `std::monostate` for void
};

namespace detail {

/// The first that has a result puts it here and ends the race.
template <class Result, class Make, class T>
task<> contest(task<T> t, nursery& race, std::optional<Result>& winner, Make make) {
  auto value = co_await run_for_value(std::move(t));
  if (winner)
    co_return;
  make(winner, std::move(value));
  race.cancel("another task has won the race");
}

[[noreturn]] inline void throw_no_winner() {
  throw task_cancelled("troupe: all tasks of a race were cancelled");
}

template <class Result, class Make, class T>
void enter_race(task<T>& t, nursery& race, std::optional<Result>& winner, Make make) {
  const std::source_location where = origin_of(t);
  auto entrant = contest<Result>(std::move(t), race, winner, make);
  static_cast<void>(race.start_soon(give_task<void>{with_origin(std::move(entrant), where)}));
}

template <class Result, class... Ts>
struct race_body {
  std::tuple<task<Ts>...>& tasks;
  std::optional<Result>& winner;

  task<> operator()(nursery& n) {
    start_all(n, std::index_sequence_for<Ts...>{});
    co_return;
  }

private:
  template <std::size_t... I>
  void start_all(nursery& n, std::index_sequence<I...>) {
    (enter_race(std::get<I>(tasks), n, winner,
                [](std::optional<Result>& to, auto&& value) {
                  to.emplace(std::in_place_index<I>, std::forward<decltype(value)>(value));
                }),
     ...);
  }
};

template <class... Ts>
task<std::variant<result_value<Ts>...>> race_tuple(std::tuple<task<Ts>...> tasks) {
  using result = std::variant<result_value<Ts>...>;
  std::optional<result> winner;
  race_body<result, Ts...> body{tasks, winner};
  nursery_options options{.name = "race"};
  co_await with_nursery(std::move(options), body);
  if (!winner)
    throw_no_winner();
  co_return std::move(*winner);
}

} // namespace detail

/// Runs tasks side by side until the first has ended; the others are cancelled
/// and waited for:
///
///     auto first = co_await race(fetch(mirror1), fetch(mirror2));
///     first.index(); // who it was
///
/// Gives a `std::variant` with one alternative for each argument, `std::monostate`
/// for void. If the first that ends fails, its failure is thrown; so is one that the
/// others throw while they are cancelled, for no failure is lost. A result that another
/// has reached in the meantime is dropped: where that matters, start the tasks in a
/// nursery and use `wait` or `as_completed`. Handles of tasks that run already are only
/// waited for. Throws `task_cancelled` if each task was cancelled alone. Cancelled
/// itself, it cancels all and waits for them. A checkpoint if the tasks are.
template <detail::combinable... Tasks>
  requires(sizeof...(Tasks) > 0)
[[nodiscard]] auto race(Tasks... tasks) {
  return detail::race_tuple(std::tuple(detail::as_task(std::move(tasks))...));
}

/// The same for any number of tasks of one type. Throws `usage_error` if there are
/// none. A checkpoint if the tasks are.
template <class T>
[[nodiscard]] task<race_winner<T>> race(std::vector<task<T>> tasks) {
  if (tasks.empty())
    throw usage_error("troupe: a race without tasks never ends");
  std::optional<race_winner<T>> winner;
  nursery_options options{.name = "race"};
  co_await with_nursery(std::move(options), [&](nursery& n) -> task<> {
    for (std::size_t i = 0; i != tasks.size(); ++i)
      detail::enter_race(tasks[i], n, winner,
                         [i](std::optional<race_winner<T>>& to, result_value<T>&& value) {
                           to.emplace(race_winner<T>{i, std::move(value)});
                         });
    co_return;
  });
  if (!winner)
    detail::throw_no_winner();
  co_return std::move(*winner);
}

} // namespace troupe
