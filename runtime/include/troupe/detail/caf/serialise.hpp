// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/caf/announce.hpp>

#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/error.hpp>

#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace troupe::detail {

[[noreturn]] inline void throw_unserialisable(const char* doing) {
  throw std::runtime_error(std::string("troupe: values cannot be ") + doing);
}

/// Appends values, of types that CAF can inspect, to `to`. Throws `std::runtime_error`.
template <class... Ts>
void write_values(std::vector<char>& to, const Ts&... values) {
  caf::binary_serializer sink(static_cast<caf::execution_unit*>(nullptr), to);
  // inspectors take references to what they only read
  if (sink(const_cast<Ts&>(values)...)) // NOLINT(cppcoreguidelines-pro-type-const-cast)
    throw_unserialisable("written");
}

/// The reverse: all of `from`. Throws `std::runtime_error`.
template <class... Ts>
void read_values(std::span<const char> from, Ts&... values) {
  caf::binary_deserializer source(static_cast<caf::execution_unit*>(nullptr), from.data(),
                                  from.size());
  if (source(values...))
    throw_unserialisable("read");
}

} // namespace troupe::detail
