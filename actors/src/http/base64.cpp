// SPDX-License-Identifier: BSD-3-Clause
#include "base64.hpp"

#include <openssl/evp.h>

namespace troupe::http {

std::string base64(std::span<const std::byte> bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0'); // and a zero, which is written
  const int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                reinterpret_cast<const unsigned char*>(bytes.data()),
                                static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(n));
  return text;
}

} // namespace troupe::http
