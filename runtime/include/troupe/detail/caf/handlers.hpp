// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actor_error.hpp>
#include <troupe/clock.hpp>
#include <troupe/detail/caf/letter.hpp>
#include <troupe/task.hpp>

#include <caf/message.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace troupe::detail {

template <class R, class... As>
struct handler_signature {
  using result = R;
  using values = std::tuple<std::decay_t<As>...>;
  static constexpr bool catches_all = false;

  static bool matches(const caf::type_erased_tuple& content) noexcept {
    return content.match_elements<std::decay_t<As>...>();
  }

  template <class F>
  static R call(F& f, caf::type_erased_tuple& content) {
    return apply(f, content, std::index_sequence_for<As...>());
  }

private:
  template <class F, std::size_t... Is>
  static R apply(F& f, caf::type_erased_tuple& content, std::index_sequence<Is...> /*none*/) {
    return std::invoke(f, value<As>(content, Is)...);
  }

  /// By reference where the handler looks at it, moved where it takes it.
  template <class A>
  static decltype(auto) value(caf::type_erased_tuple& content, std::size_t at) {
    static_assert(!std::is_lvalue_reference_v<A> || std::is_const_v<std::remove_reference_t<A>>,
                  "troupe: a handler takes its values by value or by const reference");
    if constexpr (std::is_lvalue_reference_v<A>)
      return content.get_as<std::decay_t<A>>(at);
    else
      return content.move_if_unshared<std::decay_t<A>>(at);
  }
};

template <class R, class A>
  requires std::is_same_v<std::decay_t<A>, caf::message>
struct handler_signature<R, A> {
  using result = R;
  static constexpr bool catches_all = true;

  static bool matches(const caf::type_erased_tuple& /*any*/) noexcept { return true; }

  template <class F>
  static R call(F& f, caf::type_erased_tuple& content) {
    return std::invoke(f, caf::message::copy(content));
  }
};

template <class F>
struct handler_traits {
  static_assert(sizeof(F) == 0, "troupe: a handler is a function or a lambda whose parameters have "
                                "types of their own ('auto' does not say which message it takes)");
};
template <class R, class... As>
struct handler_traits<R (*)(As...)> : handler_signature<R, As...> {};
template <class R, class C, class... As>
struct handler_traits<R (C::*)(As...)> : handler_signature<R, As...> {};
template <class R, class C, class... As>
struct handler_traits<R (C::*)(As...) const> : handler_signature<R, As...> {};
template <class R, class C, class... As>
struct handler_traits<R (C::*)(As...) noexcept> : handler_signature<R, As...> {};
template <class R, class C, class... As>
struct handler_traits<R (C::*)(As...) const noexcept> : handler_signature<R, As...> {};
template <class F>
  requires requires { &F::operator(); }
struct handler_traits<F> : handler_traits<decltype(&F::operator())> {};

template <class... Ts>
inline constexpr bool begins_with_time = false;
template <class T, class... Ts>
inline constexpr bool begins_with_time<T, Ts...> = std::is_convertible_v<T, duration>;

/// Answers `to` with what a handler has returned.
template <class R>
void reply_with(letter& to, R&& result) {
  using T = std::decay_t<R>;
  if constexpr (std::is_same_v<T, caf::error>) {
    to.fail(std::forward<R>(result));
  } else if constexpr (
    requires { std::tuple_size<T>::value; } && !requires { result.data(); }) {
    std::apply([&](auto&&... values) { to.reply(std::forward<decltype(values)>(values)...); },
               std::forward<R>(result));
  } else {
    to.reply(std::forward<R>(result));
  }
}

/// A set of handlers.
template <class... Hs>
class handler_set {
public:
  static_assert(sizeof...(Hs) != 0, "troupe: give at least one handler");
  static constexpr bool any_coroutine = (is_task<typename handler_traits<Hs>::result> || ...);

  explicit handler_set(Hs... handlers) : handlers_(std::move(handlers)...) {}

  static constexpr std::size_t none = sizeof...(Hs);

  /// Which handler takes `content`: the first that fits, or `none`.
  [[nodiscard]] static std::size_t find(const caf::type_erased_tuple& content) noexcept {
    std::size_t at = 0;
    static_cast<void>(((handler_traits<Hs>::matches(content) || (++at, false)) || ...));
    return at;
  }

  [[nodiscard]] static bool is_coroutine(std::size_t at) noexcept {
    constexpr bool coroutine[] = {is_task<typename handler_traits<Hs>::result>..., false};
    return coroutine[at];
  }

  /// Handles `l` with handler `at`, a plain function.
  void call(std::size_t at, letter& l) {
    try {
      call_from<0>(at, l);
    } catch (...) {
      l.fail(to_caf_error(std::current_exception()));
      throw;
    }
  }

  /// Handles `l` with handler `at`, a coroutine. `l` outlives it.
  task<> run(std::size_t at, letter& l) { return run_from<0>(at, l); }

private:
  template <std::size_t I>
  using traits = handler_traits<std::tuple_element_t<I, std::tuple<Hs...>>>;

  template <std::size_t I>
  void call_from(std::size_t at, letter& l) {
    if constexpr (I != none) {
      if (I != at)
        return call_from<I + 1>(at, l);
      using result = typename traits<I>::result;
      if constexpr (std::is_void_v<result>) {
        traits<I>::call(std::get<I>(handlers_), l.content());
        l.reply();
      } else if constexpr (!is_task<result>) {
        reply_with(l, traits<I>::call(std::get<I>(handlers_), l.content()));
      }
    }
  }

  template <std::size_t I>
  task<> run_from(std::size_t at, letter& l) {
    if constexpr (I == none) {
      std::terminate(); // `is_coroutine` has said that there is one
    } else {
      if constexpr (is_task<typename traits<I>::result>)
        if (I == at)
          return run_one<I>(std::get<I>(handlers_), l);
      return run_from<I + 1>(at, l);
    }
  }

  template <std::size_t I, class H>
  static task<> run_one(H& handler, letter& l) {
    using value = typename traits<I>::result::value_type;
    try {
      if constexpr (std::is_void_v<value>) {
        co_await traits<I>::call(handler, l.content());
        l.reply();
      } else {
        reply_with(l, co_await traits<I>::call(handler, l.content()));
      }
    } catch (...) {
      l.fail(to_caf_error(std::current_exception()));
      throw;
    }
  }

  std::tuple<Hs...> handlers_;
};

} // namespace troupe::detail
