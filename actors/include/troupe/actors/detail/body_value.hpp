// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/task.hpp>

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace troupe::pools {

/// What `body(handle)` gives, a coroutine.
template <class Body, class Handle>
using body_value = typename std::invoke_result_t<Body&, Handle&>::value_type;

/// Has `run` await `body(handle)`, and gives the body's value.
template <class Run, class Body, class Handle>
task<body_value<Body, Handle>> value_of_body(Run& run, Body& body, Handle& handle) {
  using value = body_value<Body, Handle>;
  if constexpr (std::is_void_v<value>) {
    auto call = [&]() { return std::invoke(body, handle); };
    co_await run(call);
  } else {
    std::optional<value> result;
    auto call = [&]() -> task<> { result.emplace(co_await std::invoke(body, handle)); };
    co_await run(call);
    co_return *std::move(result);
  }
}

} // namespace troupe::pools
