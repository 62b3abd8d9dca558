// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/waiter.hpp>
#include <troupe/error.hpp>

#include <string>

// Who may use what is in memory, as with a socket.
namespace troupe::testing {

/// For as long as a task reads, or writes, or accepts. Throws `usage_error` that names `what`
/// if another one does.
class only_one {
public:
  only_one(bool& taken, const char* what) : taken_(taken) {
    if (taken)
      throw usage_error(std::string("troupe: ") + what + ": another task is at it already");
    taken = true;
  }
  only_one(const only_one&) = delete;
  only_one& operator=(const only_one&) = delete;
  ~only_one() { taken_ = false; }

private:
  bool& taken_;
};

/// Throws `usage_error` that names `what` on another loop than `home`.
inline void only_here(troupe::detail::home_loop& home, const char* what, const char* thing) {
  troupe::detail::loop* here = troupe::detail::loop::current();
  if (here && home.seen_from(*here, what))
    throw usage_error(std::string("troupe: ") + what + ": the " + thing
                      + " belongs to another loop; it is used on the one that made it");
}

} // namespace troupe::testing
