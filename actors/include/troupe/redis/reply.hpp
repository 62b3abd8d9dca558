// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/redis/error.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::redis {

/// What Redis answers: a value.
class reply {
public:
  enum class type { nil, integer, string, status, error, array };

  /// Nil.
  reply() noexcept = default;
  explicit reply(std::int64_t n) noexcept : type_(type::integer), integer_(n) {}
  /// `t` is `string`, `status` or `error`.
  reply(type t, std::string text) noexcept : type_(t), text_(std::move(text)) {}
  explicit reply(std::vector<reply> elements) noexcept
    : type_(type::array), elements_(std::move(elements)) {}

  [[nodiscard]] type kind() const noexcept { return type_; }
  [[nodiscard]] bool is_nil() const noexcept { return type_ == type::nil; }
  [[nodiscard]] bool is_error() const noexcept { return type_ == type::error; }

  /// Of a string, a status ("OK") or an error; else empty.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

  /// Of an array; else none.
  [[nodiscard]] const std::vector<reply>& elements() const noexcept { return elements_; }
  [[nodiscard]] std::vector<reply>& elements() noexcept { return elements_; }
  [[nodiscard]] std::size_t size() const noexcept { return elements_.size(); }
  /// Throws `bad_reply` if there is no such element.
  [[nodiscard]] const reply& operator[](std::size_t i) const;

  /// As `std::string`, a number (also one that is written in a string), `bool` (not 0; "OK"), a
  /// `std::vector` of these, or a `std::optional` for what may be nil. Throws `bad_reply`;
  /// `redis::error` if it is an error.
  template <class T>
  [[nodiscard]] T get() const {
    return read(static_cast<T*>(nullptr));
  }

  friend bool operator==(const reply&, const reply&) = default;

private:
  friend struct reply_builder;

  template <class T>
  [[nodiscard]] std::optional<T> read(std::optional<T>*) const {
    if (is_nil())
      return std::nullopt;
    return get<T>();
  }
  template <class T>
  [[nodiscard]] std::vector<T> read(std::vector<T>*) const {
    check_array();
    std::vector<T> all;
    all.reserve(elements_.size());
    for (const reply& one : elements_)
      all.push_back(one.get<T>());
    return all;
  }
  [[nodiscard]] std::string read(std::string*) const;
  [[nodiscard]] double read(double*) const;
  [[nodiscard]] bool read(bool*) const;
  template <std::integral T>
  [[nodiscard]] T read(T*) const {
    const std::int64_t n = number();
    if (!std::in_range<T>(n))
      fail("a number that fits");
    return static_cast<T>(n);
  }
  [[nodiscard]] std::int64_t number() const;
  void check_array() const;
  [[noreturn]] void fail(std::string_view wanted) const;

  type type_ = type::nil;
  std::int64_t integer_ = 0;
  std::string text_;
  std::vector<reply> elements_;
};

/// For messages: `(nil)`, `3`, `"text"`, `OK`, `[1, "a"]`; shortened if it is long.
[[nodiscard]] std::string to_string(const reply& r);

} // namespace troupe::redis
