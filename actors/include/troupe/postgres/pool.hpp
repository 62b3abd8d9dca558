// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/connection_pool.hpp>
#include <troupe/postgres/connection.hpp>

#include <string>

namespace troupe::postgres {

/// What a connection pool needs to lend connections to the server `where` (`open_connection`). One
/// that comes back in the middle of a transaction is closed.
///
///     const auto functions = postgres::pooled("host=db.example dbname=shop");
///     co_await with_connection_pool(options, functions, ...);
[[nodiscard]] connection_functions<connection> pooled(std::string where);
[[nodiscard]] connection_functions<connection> pooled(std::string where,
                                                      connection_options options);

} // namespace troupe::postgres
