// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/messages.hpp>

#include <string>

/// Messages that the tests of actors share.
namespace messages {

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
