// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/messages.hpp>
#include <troupe/time.hpp>

#include <string>

/// What the tests of actors share: messages, and how long to wait for the replies to them.
namespace messages {

inline constexpr auto forever = troupe::duration::max();

struct add {
  int by;
};
struct get {};
struct get_slowly {};
struct fail {
  std::string why;
};
struct stop {};
struct number {
  int value;
};

} // namespace messages

TROUPE_MESSAGES(tests, 0, messages::add, messages::get, messages::get_slowly, messages::fail,
                messages::stop, messages::number)
