// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/connection_pool.hpp>
#include <troupe/redis/connection.hpp>

#include <string>

namespace troupe::redis {

/// What a connection pool needs to lend connections to the server `where` (`open_connection`):
///
///     const auto functions = redis::pooled("redis://db.example");
///     co_await with_connection_pool(options, functions, ...);
[[nodiscard]] connection_functions<connection> pooled(std::string where);

} // namespace troupe::redis
