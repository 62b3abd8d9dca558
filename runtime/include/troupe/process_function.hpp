// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/caf/serialise.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

namespace troupe {

namespace detail {

/// What a worker process knows of a function.
class process_job {
public:
  process_job(const process_job&) = delete;
  process_job& operator=(const process_job&) = delete;

  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  /// Calls the function with arguments that were written by `write_values`, and gives its
  /// value so written. In the worker. Throws what the function throws.
  [[nodiscard]] virtual std::vector<char> call(std::span<const char> arguments) const = 0;

protected:
  /// Registers it. Throws `usage_error` if there is another of that name.
  explicit process_job(std::string_view name);
  ~process_job();

private:
  std::string name_;
};

/// Null if there is none of that name.
[[nodiscard]] const process_job* find_process_job(const std::string& name) noexcept;

} // namespace detail

template <class Signature>
class process_function;

/// A function that worker processes may run, under a name:
///
///     std::uint64_t count_primes(std::uint64_t below);
///     const process_function primes("primes", count_primes);
///
/// Stands outside of all functions, so that this program and its workers, which are the same
/// program, both know it before `main`. Arguments and the value travel as messages do: numbers,
/// strings, containers of those, and what `TROUPE_MESSAGES` has announced.
/// They are copied there and back; references are to the worker's copy. A name stands for one
/// function; a second one of that name is a `usage_error`.
template <class R, class... Args>
class process_function<R(Args...)> final : public detail::process_job {
public:
  static_assert(!std::is_reference_v<R>, "troupe: a worker process returns a value");

  process_function(std::string_view name, R (*function)(Args...))
    : process_job(name), function_(function) {}

  [[nodiscard]] std::vector<char> call(std::span<const char> arguments) const override {
    std::tuple<std::decay_t<Args>...> values;
    std::apply([&](auto&... v) { detail::read_values(arguments, v...); }, values);
    std::vector<char> answer;
    const auto run = [&](auto&... v) { return function_(std::forward<Args>(v)...); };
    if constexpr (std::is_void_v<R>)
      std::apply(run, values);
    else
      detail::write_values(answer, std::apply(run, values));
    return answer;
  }

private:
  R (*function_)(Args...);
};

template <class R, class... Args>
process_function(std::string_view, R (*)(Args...)) -> process_function<R(Args...)>;

/// Runs a worker process if this is one, and gives its exit code; else nothing. `troupe::main`
/// does that; a program with a `main` of its own that uses a pool begins with
///
///     if (const auto code = run_process_worker(argc, argv))
///       return *code;
[[nodiscard]] std::optional<int> run_process_worker(int argc, char** argv);

} // namespace troupe
