// SPDX-License-Identifier: BSD-3-Clause
// What names and lines of a chat may consist of.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace troupe::chat {

/// True if `text` is UTF-8: no stray bytes, no overlong forms, no surrogates.
[[nodiscard]] bool is_utf8(std::string_view text);

/// Names of people and rooms: 1 to `limit` bytes, nothing that is not seen, no / in front.
[[nodiscard]] bool is_name(std::string_view text, std::size_t limit);

/// As names are compared: "Ann" is "ann".
[[nodiscard]] std::string folded(std::string_view name);

/// Puts blanks and question marks for control characters: no escape sequences into other
/// people's terminals.
void make_harmless(std::string& line);

} // namespace troupe::chat
