// SPDX-License-Identifier: BSD-3-Clause
#include "words.hpp"

#include <algorithm>

namespace troupe::chat {

namespace {

constexpr unsigned long no_point = 0x110000;

/// The code point at `i`, which is moved behind it; `no_point` if there is none.
unsigned long next_point(std::string_view text, std::size_t& i) {
  const auto first = static_cast<unsigned char>(text[i++]);
  if (first < 0x80)
    return first;
  const int more = first >= 0xf0 && first <= 0xf4  ? 3
                   : first >= 0xe0 && first < 0xf0 ? 2
                   : first >= 0xc2 && first < 0xe0 ? 1
                                                   : 0;
  if (more == 0 || text.size() - i < static_cast<std::size_t>(more))
    return no_point;
  unsigned long point = first & (0x3fU >> more);
  for (int k = 0; k < more; ++k) {
    const auto next = static_cast<unsigned char>(text[i++]);
    if ((next & 0xc0U) != 0x80)
      return no_point;
    point = point << 6 | (next & 0x3fU);
  }
  if ((more == 2 && (point < 0x800 || (point >= 0xd800 && point < 0xe000)))
      || (more == 3 && (point < 0x10000 || point > 0x10ffff)))
    return no_point;
  return point;
}

bool is_control(unsigned long point) {
  return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x2028 || point == 0x2029;
}

/// Nothing to see: what would make two names look alike.
bool is_invisible(unsigned long point) {
  return is_control(point) || point == ' ' || point == 0xa0 || point == 0xad || point == 0x1680
         || point == 0x180e || (point >= 0x2000 && point <= 0x200f)
         || (point >= 0x2028 && point <= 0x202f) || (point >= 0x205f && point <= 0x206f)
         || point == 0x3000 || point == 0x3164 || (point >= 0xfe00 && point <= 0xfe0f)
         || point == 0xfeff || (point >= 0xe0000 && point <= 0xe0fff);
}

} // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();)
    if (next_point(text, i) == no_point)
      return false;
  return true;
}

bool is_name(std::string_view text, std::size_t limit) {
  if (text.empty() || text.size() > limit || text.front() == '/' || text.front() == '*')
    return false;
  for (std::size_t i = 0; i < text.size();) {
    const unsigned long point = next_point(text, i);
    if (point == no_point || is_invisible(point))
      return false;
  }
  return true;
}

std::string folded(std::string_view name) {
  std::string f(name);
  std::transform(f.begin(), f.end(), f.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return f;
}

void make_harmless(std::string& line) {
  const auto plain = [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c > 0 && c != 0x7f;
  };
  if (std::all_of(line.begin(), line.end(), plain))
    return;
  std::string clean;
  clean.reserve(line.size());
  for (std::size_t i = 0; i < line.size();) {
    const std::size_t begin = i;
    const unsigned long point = next_point(line, i);
    if (is_control(point))
      clean += point == '\t' || point == '\n' || point == '\r' ? ' ' : '?';
    else
      clean.append(line, begin, i - begin);
  }
  line = std::move(clean);
}

} // namespace troupe::chat
