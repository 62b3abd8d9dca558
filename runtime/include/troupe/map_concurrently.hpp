// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/combine.hpp>
#include <troupe/detail/safe_to_await.hpp>
#include <troupe/time.hpp>

#include <cstddef>
#include <functional>
#include <iterator>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

namespace troupe {

namespace detail {

/// What the workers of `map_concurrently` share.
template <class Range, class F, class R>
struct map_state {
  Range& range;
  F& fn;
  std::ranges::iterator_t<Range> at = std::ranges::begin(range);
  std::vector<std::optional<result_value<R>>> results{};

  [[nodiscard]] bool over() { return at == std::ranges::end(range); }

  /// Takes elements until none is left.
  task<> work() {
    while (!over()) {
      auto&& element = *at;
      const std::size_t index = results.size();
      results.emplace_back();
      ++at;
      auto value =
        co_await run_for_value(std::invoke(fn, std::forward<decltype(element)>(element)));
      results[index].emplace(std::move(value));
    }
  }
};

template <class R, class Range, class F>
task<std::conditional_t<std::is_void_v<R>, void, std::vector<result_value<R>>>>
map_range(Range range, std::size_t limit, F fn) {
  if (limit == 0)
    throw usage_error("troupe: map_concurrently with a limit of 0 never ends");
  map_state<Range, F, R> state{range, fn};
  nursery_options options{.name = "map_concurrently"};
  co_await with_nursery(std::move(options), [&](nursery& n) -> task<> {
    // A worker starts when there is an element for it; those before may take all.
    for (std::size_t i = 0; i != limit && !state.over(); ++i) {
      static_cast<void>(n.start_soon([&state] { return state.work(); }));
      co_await checkpoint();
    }
  });
  if constexpr (!std::is_void_v<R>) {
    std::vector<R> results;
    results.reserve(state.results.size());
    for (auto& r : state.results)
      results.push_back(std::move(*r));
    co_return results;
  }
}

} // namespace detail

/// Calls `fn(element)`, a coroutine, for each element of a range, at most `limit`
/// at the same time, and gives their results in the order of the elements:
///
///     auto pages = co_await map_concurrently(urls, 8, fetch);
///
/// The range is moved or copied into the call (`std::views::all(x)` refers to
/// one), so `fn` may take its elements by reference; `fn` is called from several
/// tasks of this loop. Gives a `std::vector`, nothing if `fn` gives void. When a call
/// fails, no other is begun, those under way are cancelled, and the failure is
/// thrown when all have ended. Throws `usage_error` if `limit` is 0. A checkpoint
/// if the range is not empty.
template <std::ranges::forward_range Range, class F>
[[nodiscard]] auto map_concurrently(Range range, std::size_t limit, F&& fn) {
  detail::check_awaited_arguments<F>();
  using call = std::invoke_result_t<F&, std::ranges::range_reference_t<Range>>;
  static_assert(detail::is_task<call>, "troupe: the function has to be a coroutine that returns "
                                       "task<T>; a lambda says so with '-> troupe::task<T>'");
  return detail::map_range<typename call::value_type>(std::move(range), limit, std::forward<F>(fn));
}

} // namespace troupe
