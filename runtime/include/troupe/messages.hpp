// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/caf/announce.hpp>

#include <utility>

namespace troupe {

/// Makes a message in place, for `request` and `send_when_room`:
///
///     co_await request<void>(room, 1s, message<say>("hello"));
///
/// There `say{"hello"}` itself does not compile with g++ before 15, which would destroy
/// it twice if it has anything to destroy.
template <class T, class... As>
[[nodiscard]] detail::made<T> message(As&&... fields) {
  return detail::made<T>(std::in_place, std::forward<As>(fields)...);
}

} // namespace troupe

/// Announces message types: `TROUPE_MESSAGES(block, offset, types...)`, outside of
/// any namespace, once for the whole program, where all that send them see it.
///
///     struct add { int by; };
///     struct get {};
///     TROUPE_MESSAGES(counter, 0, add, get)
///
/// Types are named as seen from the global namespace, without a leading `::`. They are aggregates,
/// or have an `inspect` as CAF wants it. Each gets a number, counted from `offset`: blocks of one
/// program must not overlap, and programs that talk to each other must agree.
#define TROUPE_MESSAGES(block, offset, ...)                                                        \
  CAF_BEGIN_TYPE_ID_BLOCK(block, caf::first_custom_type_id + (offset))                             \
  TROUPE_DETAIL_EACH(TROUPE_DETAIL_MESSAGE, block, __VA_ARGS__)                                    \
  CAF_END_TYPE_ID_BLOCK(block)                                                                     \
  namespace troupe::detail {                                                                       \
  inline const bool block##_announced = announce(                                                  \
    [](caf::actor_system_config& config) { add_message_block<caf::id_block::block>(config); });    \
  }
