// SPDX-License-Identifier: BSD-3-Clause
// Any bytes instead of a TLS handshake, for servers and clients, in pieces of any size: an
// error, never a crash or a hang. FUZZ_CERTIFICATE and FUZZ_KEY name the server's files.
#include "source.hpp"

#include <troupe/net_error.hpp>
#include <troupe/run.hpp>
#include <troupe/tls.hpp>

#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <system_error>

using namespace troupe;

namespace {

task<> shake_hands(std::string_view pattern, std::string_view bytes, bool as_server) {
  auto wire = fuzz::source(bytes, pattern);
  try {
    if (as_server) {
      static const tls_server_context context(std::getenv("FUZZ_CERTIFICATE"),
                                              std::getenv("FUZZ_KEY"));
      static_cast<void>(co_await tls_accept(std::move(wire.first), context));
    } else {
      static const tls_client_context context;
      static_cast<void>(co_await tls_connect(std::move(wire.first), "localhost", context));
    }
    std::abort();                      // no random bytes are a handshake
  } catch (const std::system_error&) { // NOLINT(bugprone-empty-catch)
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 6)
    return 0;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  run(run_options{.loops = 1},
      [&]() -> task<> { co_await shake_hands(all.substr(1, 4), all.substr(5), all[0] % 2 == 0); });
  return 0;
}
