// SPDX-License-Identifier: BSD-3-Clause
#include "socket.hpp"

#include <troupe/asio.hpp>

namespace troupe {

boost::asio::io_context::executor_type loop_executor() {
  return detail::require_loop("loop_executor").io().get_executor();
}

} // namespace troupe
