// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/net_error.hpp>

#include <cerrno>

namespace troupe {

net_error::net_error(std::error_code cause, std::string_view operation, std::string_view address,
                     std::string_view details)
  : std::system_error(cause, "cannot " + std::string(operation) + " " + std::string(address)
                               + (details.empty() ? "" : " (" + std::string(details) + ")")),
    operation_(operation), address_(address) {}

end_of_stream::end_of_stream(std::string_view operation, std::string_view address,
                             std::string_view details)
  : net_error(stream_errc::end_of_stream, operation, address, details) {}

const std::error_category& stream_category() noexcept {
  static const struct final : std::error_category {
    [[nodiscard]] const char* name() const noexcept override { return "troupe.stream"; }
    [[nodiscard]] std::string message(int) const override { return "the stream has ended"; }
  } category;
  return category;
}

void throw_net_error(int cause, std::string_view operation, std::string_view address,
                     std::string_view details) {
  const std::error_code code(cause, std::generic_category());
  switch (cause) {
  case ECONNREFUSED: throw connection_refused(code, operation, address, details);
  case ECONNRESET: throw connection_reset(code, operation, address, details);
  case ECONNABORTED: throw connection_aborted(code, operation, address, details);
  case EPIPE: throw broken_pipe(code, operation, address, details);
  case ETIMEDOUT: throw connection_timeout(code, operation, address, details);
  case EADDRINUSE: throw address_in_use(code, operation, address, details);
  case EADDRNOTAVAIL: throw address_not_available(code, operation, address, details);
  case EHOSTUNREACH:
  case ENETUNREACH:
  case EHOSTDOWN:
  case ENETDOWN: throw host_unreachable(code, operation, address, details);
  case EMFILE:
  case ENFILE: throw too_many_files(code, operation, address, details);
  case EMSGSIZE: throw message_too_long(code, operation, address, details);
  case EBADF: throw stream_closed(code, operation, address, details);
  default: throw net_error(code, operation, address, details);
  }
}

} // namespace troupe
