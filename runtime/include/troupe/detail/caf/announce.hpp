// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <caf/actor_system_config.hpp>
#include <caf/meta/type_name.hpp>
#include <caf/type_id.hpp>
#include <caf/type_nr.hpp>

#include <boost/pfr/core.hpp>

#include <tuple>
#include <type_traits>
#include <utility>

namespace troupe::detail {

/// What `TROUPE_MESSAGES` has announced.
template <class T>
inline constexpr bool announced_message = false;

/// What may be sent: what was announced, and what CAF knows by itself.
template <class T>
concept message_type =
  announced_message<T> || caf::has_type_id<T>::value || caf::type_nr<T>::value != 0;

using add_messages = void (*)(caf::actor_system_config&);

/// Keeps `f` for the actor systems to come. Returns true.
bool announce(add_messages f);

template <class Block>
void add_message_block(caf::actor_system_config& config) {
  config.add_message_types<Block>();
}

/// Tells `config` of all announced blocks.
void add_announced_messages(caf::actor_system_config& config);

/// Carries a message into a `co_await`; see `message`.
template <class T>
class made {
public:
  template <class... As>
  explicit made(std::in_place_t /*none*/, As&&... fields) : value_{std::forward<As>(fields)...} {}
  T&& take() && noexcept { return std::move(value_); }

private:
  T value_;
};

template <class U>
void is_made(made<U>& x); // a lambda in its place is taken for one by clang

template <class T>
struct value_of {
  using type = std::decay_t<T>;
};
template <class T>
  requires requires(std::decay_t<T> x) { is_made(x); }
struct value_of<T> {
  using type = std::remove_cvref_t<decltype(std::declval<std::decay_t<T>>().take())>;
};

template <class T>
decltype(auto) value_from(T&& x) {
  if constexpr (requires { std::forward<T>(x).take(); } && !message_type<std::decay_t<T>>)
    return std::forward<T>(x).take();
  else
    return std::forward<T>(x);
}

} // namespace troupe::detail

namespace caf {

/// CAF looks fields up with `inspect`. Of an announced aggregate they are known.
template <class Inspector, class T>
  requires(troupe::detail::announced_message<T>&& std::is_aggregate_v<T>)
typename Inspector::result_type inspect(Inspector& f, T& x) {
  return std::apply(
    [&](auto&... fields) { return f(meta::type_name(type_name<T>::value + 2), fields...); },
    boost::pfr::structure_tie(x));
}

namespace detail {
using caf::inspect; // for the inspectors that live here
} // namespace detail

} // namespace caf

#define TROUPE_DETAIL_MESSAGE(block, type)                                                         \
  CAF_ADD_TYPE_ID(block, (::type)) /* not what CAF calls so */                                     \
  template <>                                                                                      \
  inline constexpr bool troupe::detail::announced_message<::type> = true;

// for-each of the preprocessor, up to 256 arguments
#define TROUPE_DETAIL_PARENS ()
#define TROUPE_DETAIL_EXPAND(...)                                                                  \
  TROUPE_DETAIL_EXPAND3(                                                                           \
    TROUPE_DETAIL_EXPAND3(TROUPE_DETAIL_EXPAND3(TROUPE_DETAIL_EXPAND3(__VA_ARGS__))))
#define TROUPE_DETAIL_EXPAND3(...)                                                                 \
  TROUPE_DETAIL_EXPAND2(                                                                           \
    TROUPE_DETAIL_EXPAND2(TROUPE_DETAIL_EXPAND2(TROUPE_DETAIL_EXPAND2(__VA_ARGS__))))
#define TROUPE_DETAIL_EXPAND2(...)                                                                 \
  TROUPE_DETAIL_EXPAND1(                                                                           \
    TROUPE_DETAIL_EXPAND1(TROUPE_DETAIL_EXPAND1(TROUPE_DETAIL_EXPAND1(__VA_ARGS__))))
#define TROUPE_DETAIL_EXPAND1(...) __VA_ARGS__
#define TROUPE_DETAIL_EACH(macro, block, ...)                                                      \
  __VA_OPT__(TROUPE_DETAIL_EXPAND(TROUPE_DETAIL_EACH_STEP(macro, block, __VA_ARGS__)))
#define TROUPE_DETAIL_EACH_STEP(macro, block, first, ...)                                          \
  macro(block, first)                                                                              \
    __VA_OPT__(TROUPE_DETAIL_EACH_AGAIN TROUPE_DETAIL_PARENS(macro, block, __VA_ARGS__))
#define TROUPE_DETAIL_EACH_AGAIN() TROUPE_DETAIL_EACH_STEP
