// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/net_error.hpp>

#include <cerrno>

namespace troupe {

net_error::net_error(std::error_code cause, std::string_view operation, std::string_view address)
  : std::system_error(cause, "cannot " + std::string(operation) + " " + std::string(address)),
    operation_(operation), address_(address) {}

void throw_net_error(int cause, std::string_view operation, std::string_view address) {
  const std::error_code code(cause, std::generic_category());
  switch (cause) {
  case ECONNREFUSED: throw connection_refused(code, operation, address);
  case ECONNRESET:
  case ECONNABORTED: throw connection_reset(code, operation, address);
  case EPIPE: throw broken_pipe(code, operation, address);
  case EADDRINUSE: throw address_in_use(code, operation, address);
  case EHOSTUNREACH:
  case ENETUNREACH:
  case ETIMEDOUT: throw host_unreachable(code, operation, address);
  case EMFILE:
  case ENFILE: throw too_many_files(code, operation, address);
  case EBADF: throw stream_closed(code, operation, address);
  default: throw net_error(code, operation, address);
  }
}

} // namespace troupe
