// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/cancel_scope.hpp>
#include <troupe/detail/safe_to_await.hpp>

#include <functional>
#include <type_traits>
#include <utility>

namespace troupe::detail {

/// The task type that `body(scope)` or `body()` returns.
template <class Body, class Arg>
auto call_body(Body& body, Arg& arg) {
  if constexpr (std::is_invocable_v<Body&, Arg&>) {
    using result = std::invoke_result_t<Body&, Arg&>;
    static_assert(is_task<result>, "troupe: the body has to be a coroutine that returns task<T>; "
                                   "a lambda says so with '-> troupe::task<>'");
    return std::invoke(body, arg);
  } else {
    static_assert(std::is_invocable_v<Body&>,
                  "troupe: the body takes no argument, or the scope or nursery by reference");
    using result = std::invoke_result_t<Body&>;
    static_assert(is_task<result>, "troupe: the body has to be a coroutine that returns task<T>; "
                                   "a lambda says so with '-> troupe::task<>'");
    return std::invoke(body);
  }
}

template <class Body, class Arg>
using body_value =
  typename decltype(call_body(std::declval<Body&>(), std::declval<Arg&>()))::value_type;

struct scope_options {
  time_point at = time_point::max();
  duration after = duration::max(); // counted from the await
  bool shield = false;
  std::string name;
};

[[noreturn]] void throw_timeout(const cancel_scope& scope);

/// Sets the scope up and enters it. Throws `std::bad_alloc`: not entered then.
void open_scope(cancel_scope& scope, scope_options& options, task_block& t);

/// Awaits a body inside a scope. `Fail`: a deadline throws.
template <class Body, bool Fail>
class [[nodiscard]] scope_awaiter : private scope_hook {
public:
  using troupe_awaitable = void;
  using value_type = body_value<Body, cancel_scope>;

  template <class B>
  scope_awaiter(B&& body, scope_options options)
    : scope_hook(scope_, link_), body_(std::forward<B>(body)), options_(std::move(options)) {
    check_awaited_arguments<B>();
  }

  [[nodiscard]] bool await_ready() const noexcept { return false; }

  template <troupe_promise Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> h) {
    task_block& t = *h.promise().task;
    auto frame = call_body(body_, scope_).release();
    link_.child = frame;
    link_.hook = this;
    link_.join(frame.promise(), &h.promise(), &t);
    open_scope(scope_, options_, t);
    return transfer(t, frame);
  }

  auto await_resume() {
    if constexpr (Fail) {
      if (cut_off() && !link_.error)
        throw_timeout(scope_);
      return link_.take();
    } else if constexpr (std::is_void_v<value_type>) {
      link_.take();
      return !cut_off();
    } else {
      return cut_off() && !link_.error ? scoped_result<value_type>{}
                                       : scoped_result<value_type>{link_.take()};
    }
  }

private:
  Body body_;
  scope_options options_;
  cancel_scope scope_;
  result_link<value_type> link_;
};

/// As `scope_awaiter`, for `shielded`: nothing inside cancels, so the body's
/// value is the result.
template <class Body>
class [[nodiscard]] shield_awaiter : public scope_awaiter<Body, true> {
public:
  template <class B>
  explicit shield_awaiter(B&& body)
    : scope_awaiter<Body, true>(std::forward<B>(body), {.shield = true, .name = "shielded"}) {}
};

} // namespace troupe::detail

namespace troupe {

template <class Body>
auto with_cancel_scope(Body&& body) {
  return detail::scope_awaiter<std::decay_t<Body>, false>(std::forward<Body>(body), {});
}

template <class Body>
auto move_on_after(duration d, Body&& body) {
  return detail::scope_awaiter<std::decay_t<Body>, false>(std::forward<Body>(body),
                                                          {.after = d, .name = "move_on_after"});
}

template <class Body>
auto move_on_at(time_point when, Body&& body) {
  return detail::scope_awaiter<std::decay_t<Body>, false>(std::forward<Body>(body),
                                                          {.at = when, .name = "move_on_at"});
}

template <class Body>
auto fail_after(duration d, Body&& body, std::string name) {
  return detail::scope_awaiter<std::decay_t<Body>, true>(
    std::forward<Body>(body), {.after = d, .name = name.empty() ? "fail_after" : std::move(name)});
}

template <class Body>
auto fail_at(time_point when, Body&& body, std::string name) {
  return detail::scope_awaiter<std::decay_t<Body>, true>(
    std::forward<Body>(body), {.at = when, .name = name.empty() ? "fail_at" : std::move(name)});
}

template <class Body>
auto shielded(Body&& body) {
  return detail::shield_awaiter<std::decay_t<Body>>(std::forward<Body>(body));
}

} // namespace troupe
