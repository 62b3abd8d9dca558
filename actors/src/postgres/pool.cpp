// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/postgres/pool.hpp>

namespace troupe::postgres {

connection_functions<connection> pooled(std::string where, connection_options options) {
  connection_functions<connection> functions;
  functions.open = [where = std::move(where), options = std::move(options)]() {
    return open_connection(where, options);
  };
  functions.check = [](connection& c) -> task<bool> {
    co_await c.ping();
    co_return true;
  };
  functions.usable = [](connection& c) { return c.usable(); };
  return functions;
}

connection_functions<connection> pooled(std::string where) {
  connection_options options;
  return pooled(std::move(where), std::move(options));
}

} // namespace troupe::postgres
