// SPDX-License-Identifier: BSD-3-Clause
// Addresses from text and back, and the variables that name inherited descriptors.
#include <troupe/net_error.hpp>
#include <troupe/pipe.hpp>
#include <troupe/socket_address.hpp>

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

using namespace troupe;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::string word = text.substr(0, text.find('\0'));
  try {
    const socket_address a(word, 80);
    if (socket_address(a.host(), 80).host() != a.host() || a.port() != 80)
      std::abort();
  } catch (const net_error&) { // NOLINT(bugprone-empty-catch): no address
  }
  try {
    if (socket_address::unix_path(text).text() != text)
      std::abort();
  } catch (const net_error&) { // NOLINT(bugprone-empty-catch)
  }
  // no descriptor is ever named: high numbers are refused, and 0 to 2 are not in its reach
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::setenv("LISTEN_FDS", word.c_str(), 1);
  ::setenv("LISTEN_FDNAMES", word.c_str(), 1);
  try {
    static_cast<void>(inherited_descriptors());
  } catch (const net_error&) { // NOLINT(bugprone-empty-catch)
  }
  return 0;
}
