// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/detail/waiter.hpp>
#include <troupe/error.hpp>

#include <string>

namespace troupe::detail {

void home_loop::check(const char* what) {
  if (loop* here = loop::current())
    check(*here, what);
  else if (loop_.load(std::memory_order_relaxed))
    refuse(what);
}

void home_loop::refuse(const char* what) {
  throw usage_error(std::string("troupe: ") + what
                    + " is used on another loop than before; send a message there instead");
}

} // namespace troupe::detail
