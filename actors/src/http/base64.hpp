// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace troupe::http {

/// `bytes` in base64, in one line (RFC 4648, 4).
[[nodiscard]] std::string base64(std::span<const std::byte> bytes);

} // namespace troupe::http
