// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::http {

/// Whether two names of headers are the same: "Content-Type" is "content-type".
[[nodiscard]] bool same_name(std::string_view a, std::string_view b) noexcept;

/// The headers of a message, in order; a name may stand there several times.
///
/// Names are compared without regard to case, and kept as they were given. All text lies in
/// one buffer that `clear` keeps, so that a message that is used again costs no memory. What
/// is given out as a `string_view` is good until the next change.
///
/// A name that is no token, and a value with CR, LF, NUL or another control character than a
/// tab, is `std::invalid_argument`: a header cannot be used to write another one. The space
/// around a value is not kept.
class headers {
public:
  struct field {
    std::string_view name;
    std::string_view value;
  };

  headers() = default;
  headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields);

  /// Adds one more behind the others.
  void add(std::string_view name, std::string_view value);
  void add(std::string_view name, std::uint64_t value);

  /// Takes the place of all of that name.
  void set(std::string_view name, std::string_view value);
  void set(std::string_view name, std::uint64_t value);

  /// Removes all of that name; gives how many there were.
  std::size_t remove(std::string_view name) noexcept;

  void clear() noexcept;

  [[nodiscard]] bool contains(std::string_view name) const noexcept;

  /// The value of the first of that name, if there is one.
  [[nodiscard]] std::optional<std::string_view> get(std::string_view name) const noexcept;
  /// The same, or `otherwise`.
  [[nodiscard]] std::string_view get(std::string_view name,
                                     std::string_view otherwise) const noexcept;

  /// The values of all of that name.
  [[nodiscard]] std::vector<std::string_view> all(std::string_view name) const;

  /// Whether one of the elements, separated by commas, of all headers of that name is
  /// `token`, without regard to case: `has_token("Connection", "close")`.
  [[nodiscard]] bool has_token(std::string_view name, std::string_view token) const noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return fields_.size(); }
  [[nodiscard]] bool empty() const noexcept { return fields_.empty(); }
  [[nodiscard]] field operator[](std::size_t i) const noexcept;

  class iterator {
  public:
    using iterator_category = std::input_iterator_tag;
    using value_type = field;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = field;

    iterator() = default;
    [[nodiscard]] field operator*() const noexcept { return (*of_)[i_]; }
    iterator& operator++() noexcept {
      ++i_;
      return *this;
    }
    iterator operator++(int) noexcept {
      iterator before = *this;
      ++i_;
      return before;
    }
    [[nodiscard]] bool operator==(const iterator& other) const noexcept { return i_ == other.i_; }

  private:
    friend class headers;
    iterator(const headers& of, std::size_t i) noexcept : of_(&of), i_(i) {}
    const headers* of_ = nullptr;
    std::size_t i_ = 0;
  };

  [[nodiscard]] iterator begin() const noexcept { return {*this, 0}; }
  [[nodiscard]] iterator end() const noexcept { return {*this, size()}; }

  /// All of them as they are sent, each with its line end.
  void append_to(std::string& text) const;

private:
  struct place {
    std::uint32_t begin;
    std::uint32_t name;
    std::uint32_t value;
  };

  std::string text_; // name and value of each field
  std::vector<place> fields_;
};

} // namespace troupe::http
