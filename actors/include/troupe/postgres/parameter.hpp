// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace troupe::postgres {

/// A value for `$1`, `$2` ... of a statement: text, numbers, truth, bytes, or null. The server
/// finds out the type from where it stands; where it cannot, the statement says it: `$1::int`.
class parameter {
public:
  /// Null.
  parameter(std::nullptr_t) noexcept {}
  parameter(std::nullopt_t) noexcept {}

  parameter(std::string text) noexcept : text_(std::move(text)) {}
  parameter(std::string_view text) : text_(std::string(text)) {}
  parameter(const char* text) : text_(std::string(text)) {}

  template <std::same_as<bool> T>
  parameter(T value) : text_(value ? "t" : "f") {}
  template <std::integral T>
    requires(!std::same_as<T, bool> && !std::same_as<T, char>)
  parameter(T value) : text_(std::to_string(value)) {}
  /// All digits that it takes to read the same value again.
  parameter(double value);

  /// For `bytea`.
  parameter(std::span<const std::byte> bytes)
    : text_(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())), binary_(true) {
  }

  template <class T>
  parameter(const std::optional<T>& value) {
    if (value)
      *this = parameter(*value);
  }

  [[nodiscard]] bool is_null() const noexcept { return !text_; }
  [[nodiscard]] bool is_binary() const noexcept { return binary_; }
  /// What is sent; not of a null.
  [[nodiscard]] const std::string& text() const noexcept { return *text_; }

private:
  std::optional<std::string> text_;
  bool binary_ = false;
};

} // namespace troupe::postgres
