// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/redis/pool.hpp>

namespace troupe::redis {

connection_functions<connection> pooled(std::string where) {
  connection_functions<connection> functions;
  functions.open = [where = std::move(where)]() { return open_connection(where); };
  functions.check = [](connection& c) -> task<bool> {
    const reply r = co_await c.command("ping");
    co_return r.text() == "PONG";
  };
  functions.usable = [](connection& c) { return c.usable(); };
  functions.close = [](connection& c) { return c.over().send_eof(); }; // of TLS, to be heard
  return functions;
}

} // namespace troupe::redis
