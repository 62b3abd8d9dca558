// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/combine.hpp>
#include <troupe/outcome.hpp>

#include <cstddef>
#include <tuple>
#include <utility>
#include <vector>

namespace troupe {

namespace detail {

/// Starts all tasks of a tuple as children.
template <class... Ts>
struct gather_body {
  std::tuple<task<Ts>...>& tasks;
  std::tuple<task_handle<Ts>...>& handles;

  task<> operator()(nursery& n) {
    start_all(n, std::index_sequence_for<Ts...>{});
    co_return;
  }

private:
  template <std::size_t... I>
  void start_all(nursery& n, std::index_sequence<I...>) {
    ((std::get<I>(handles) = n.start_soon(give_task<Ts>{std::move(std::get<I>(tasks))})), ...);
  }
};

template <class... Ts>
task<std::tuple<result_value<Ts>...>> gather_tuple(std::tuple<task<Ts>...> tasks) {
  std::tuple<task_handle<Ts>...> handles;
  gather_body<Ts...> body{tasks, handles};
  nursery_options options{.name = "gather"};
  co_await with_nursery(std::move(options), body);
  co_return std::apply(
    [](auto&... h) { return std::tuple<result_value<Ts>...>{take_result(h)...}; }, handles);
}

template <class T>
task<std::vector<task_handle<T>>> run_all(std::vector<task<T>> tasks) {
  std::vector<task_handle<T>> handles;
  handles.reserve(tasks.size());
  nursery_options options{.name = "gather"};
  co_await with_nursery(std::move(options), [&](nursery& n) -> task<> {
    for (auto& t : tasks)
      handles.push_back(n.start_soon(give_task<T>{std::move(t)}));
    co_return;
  });
  co_return handles;
}

template <class T>
std::vector<task<T>> as_tasks(std::vector<task_handle<T>> handles) {
  std::vector<task<T>> tasks;
  tasks.reserve(handles.size());
  for (auto& h : handles)
    tasks.push_back(await_handle(std::move(h)));
  return tasks;
}

template <class T>
std::vector<task<outcome<T>>> settle_all(std::vector<task<T>> tasks) {
  std::vector<task<outcome<T>>> settled;
  settled.reserve(tasks.size());
  for (auto& t : tasks)
    settled.push_back(settle_named(std::move(t)));
  return settled;
}

} // namespace detail

/// Runs tasks side by side and gives all their results, in the order of the
/// arguments:
///
///     auto [page, user] = co_await gather(fetch(url), lookup(id));
///
/// Takes tasks, and handles of tasks that run already: these are waited for, and
/// go on by themselves when `gather` ends early. A `void` result is a
/// `std::monostate`. Fails fast: when one fails, the others are cancelled, and when
/// all have ended the failure is thrown (several at once as `exception_group`, as
/// by a nursery). Cancelled itself, it cancels all and waits for them; results that
/// were there already are dropped. A checkpoint if one of the tasks is.
///
/// After `asyncio.gather`.
template <detail::combinable... Tasks>
[[nodiscard]] auto gather(Tasks... tasks) {
  return detail::gather_tuple(std::tuple(detail::as_task(std::move(tasks))...));
}

/// The same for any number of tasks of one type, which start in their order. A
/// checkpoint if one of the tasks is.
template <class T>
[[nodiscard]] task<std::vector<T>> gather(std::vector<task<T>> tasks) {
  auto handles = co_await detail::run_all(std::move(tasks));
  std::vector<T> results;
  results.reserve(handles.size());
  for (auto& h : handles)
    results.push_back(detail::take_result(h));
  co_return results;
}
[[nodiscard]] inline task<> gather(std::vector<task<>> tasks) {
  auto handles = co_await detail::run_all(std::move(tasks));
  for (auto& h : handles)
    detail::take_result(h);
}
template <class T>
[[nodiscard]] auto gather(std::vector<task_handle<T>> handles) {
  return gather(detail::as_tasks(std::move(handles)));
}

/// As `gather`, but runs all tasks to their ends and gives the `outcome` of each:
/// none is cancelled because another has failed. asyncio's
/// `gather(..., return_exceptions=True)`.
///
/// Throws nothing but `std::bad_alloc`. Cancelled itself, it does not come back. A
/// checkpoint if one of the tasks is.
template <detail::combinable... Tasks>
[[nodiscard]] auto gather_settled(Tasks... tasks) {
  return detail::gather_tuple(
    std::tuple(detail::settle_named(detail::as_task(std::move(tasks)))...));
}
template <class T>
[[nodiscard]] task<std::vector<outcome<T>>> gather_settled(std::vector<task<T>> tasks) {
  return gather(detail::settle_all(std::move(tasks)));
}
template <class T>
[[nodiscard]] task<std::vector<outcome<T>>> gather_settled(std::vector<task_handle<T>> handles) {
  return gather_settled(detail::as_tasks(std::move(handles)));
}

} // namespace troupe
