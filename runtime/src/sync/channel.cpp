// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/channel.hpp>

#include <string>

namespace troupe::detail {

void throw_closed(const char* what) {
  throw closed_resource_error(std::string("troupe: ") + what + " on a channel end that is closed");
}

void throw_broken() {
  throw broken_resource_error("troupe: send on a channel that nobody receives from");
}

void throw_end() { throw end_of_channel("troupe: the channel has ended: all senders are closed"); }

} // namespace troupe::detail
