// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/safe_to_await.hpp>

namespace troupe {

/// `std::function` as a parameter of a coroutine: refuses, where the compiler destroys such twice
/// (g++ before 15), temporary lambdas that capture by value.
using detail::awaited_function;

/// `check_awaited_arguments<Ts...>()`, where `Ts` are forwarding references as they were deduced,
/// refuses the same of any argument of a function that gives a coroutine. For your own `with_...`.
using detail::check_awaited_arguments;

} // namespace troupe
