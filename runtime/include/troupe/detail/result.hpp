// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/frame.hpp>

#include <optional>
#include <type_traits>
#include <utility>

namespace troupe::detail {

/// A link with room for the result of the awaited frame.
template <class T>
struct result_link : frame_link {
  using frame_link::frame_link;

  std::optional<T> value;

  template <class U>
  void set(U&& v) {
    value.emplace(std::forward<U>(v));
  }

  T take() {
    if (error)
      std::rethrow_exception(std::exchange(error, {}));
    return std::move(*value);
  }
};

template <>
struct result_link<void> : frame_link {
  using frame_link::frame_link;

  void take() {
    if (error)
      std::rethrow_exception(std::exchange(error, {}));
  }
};

} // namespace troupe::detail
