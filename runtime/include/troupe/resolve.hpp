// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/socket_address.hpp>
#include <troupe/task.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace troupe {

/// How names are looked up. The default is what the machine is set up for
/// (`/etc/resolv.conf`, `/etc/hosts`).
struct resolve_options {
  std::string servers = {};                         ///< "192.0.2.1,192.0.2.2:5353" instead
  duration attempt_limit = std::chrono::seconds(5); ///< for one server to answer, the first time
  int attempts = 3;                                 ///< for each server
};

/// The addresses of `host`, best first (RFC 6724), each with `port`. A numeric address is
/// answered at once.
///
/// Asks by itself, on the loop, by c-ares: no thread waits, nothing is left behind. A
/// checkpoint, unless the address is numeric; it can be cancelled at any time. Throws
/// `name_not_found` that names the host and says why (no such name, no server answers).
[[nodiscard]] task<std::vector<socket_address>> resolve(std::string host, std::uint16_t port);
[[nodiscard]] task<std::vector<socket_address>> resolve(std::string host, std::uint16_t port,
                                                        resolve_options options);

} // namespace troupe
