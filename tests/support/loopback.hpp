// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/tcp.hpp>

#include <string>

/// Where servers of tests are.
namespace troupe_test {

inline const std::string localhost = "127.0.0.1";
inline const troupe::listen_options loopback{.address = localhost};

} // namespace troupe_test
