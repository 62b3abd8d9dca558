// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/postgres/error.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

struct pg_result; // libpq's

namespace troupe::postgres {

/// One field of a row. A view: it lives as long as its `result`.
class value {
public:
  value(const pg_result* r, int row, int column) noexcept
    : result_(r), row_(row), column_(column) {}

  [[nodiscard]] bool is_null() const noexcept;
  /// As the server has written it; empty if null.
  [[nodiscard]] std::string_view text() const noexcept;
  /// The name of its column.
  [[nodiscard]] std::string_view column() const noexcept;

  /// As `std::string`, `std::string_view` (a view), `bool`, a number, `std::vector<std::byte>`
  /// (bytea), or as a `std::optional` of these for what may be null. Throws `bad_value` that
  /// names the column.
  template <class T>
  [[nodiscard]] T get() const {
    return read(static_cast<T*>(nullptr));
  }

private:
  template <class T>
  [[nodiscard]] std::optional<T> read(std::optional<T>*) const {
    if (is_null())
      return std::nullopt;
    return get<T>();
  }
  [[nodiscard]] std::string_view read(std::string_view*) const { return not_null(); }
  [[nodiscard]] std::string read(std::string*) const { return std::string(not_null()); }
  [[nodiscard]] bool read(bool*) const;
  [[nodiscard]] double read(double*) const;
  [[nodiscard]] float read(float*) const;
  [[nodiscard]] std::vector<std::byte> read(std::vector<std::byte>*) const;
  template <std::integral T>
  [[nodiscard]] T read(T*) const {
    if constexpr (std::unsigned_integral<T>) {
      const std::uint64_t n = natural();
      if (!std::in_range<T>(n))
        fail("is out of range");
      return static_cast<T>(n);
    } else {
      const std::int64_t n = integer();
      if (!std::in_range<T>(n))
        fail("is out of range");
      return static_cast<T>(n);
    }
  }
  [[nodiscard]] std::int64_t integer() const;
  [[nodiscard]] std::uint64_t natural() const;

  [[nodiscard]] std::string_view not_null() const;
  [[noreturn]] void fail(std::string_view why) const;

  const pg_result* result_;
  int row_;
  int column_;
};

/// A row. A view: it lives as long as its `result`.
class row {
public:
  row(const pg_result* r, int number) noexcept : result_(r), number_(number) {}

  [[nodiscard]] std::size_t size() const noexcept;
  /// By the number of the column, or by its name. Throws `bad_value` if there is none.
  [[nodiscard]] value operator[](std::size_t column) const;
  [[nodiscard]] value operator[](std::string_view column) const;

  /// All columns at once: `auto [id, name] = r.as<int, std::string>();` Throws `bad_value`, also
  /// if there are not so many.
  template <class... T>
  [[nodiscard]] std::tuple<T...> as() const {
    check_size(sizeof...(T));
    return fields<T...>(std::index_sequence_for<T...>{});
  }

private:
  void check_size(std::size_t asked) const;
  template <class... T, std::size_t... I>
  [[nodiscard]] std::tuple<T...> fields(std::index_sequence<I...>) const {
    return std::tuple<T...>{value(result_, number_, static_cast<int>(I)).get<T>()...};
  }

  const pg_result* result_;
  int number_;
};

/// What a statement has given: rows, all of them in memory. Belongs to no loop.
///
///     const auto users = co_await db.query("select id, name from users");
///     for (const auto r : users)
///       std::cout << r["id"].get<int>() << r["name"].text();
class result {
public:
  /// Takes over what libpq has made.
  explicit result(pg_result* r) noexcept : result_(r) {}
  result(result&& other) noexcept : result_(std::exchange(other.result_, nullptr)) {}
  result& operator=(result&& other) noexcept {
    std::swap(result_, other.result_);
    return *this;
  }
  ~result();

  [[nodiscard]] std::size_t size() const noexcept;
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  /// Throws `bad_value` if there is no such row.
  [[nodiscard]] row operator[](std::size_t number) const;
  /// The only row. Throws `bad_value` if there is none, or more.
  [[nodiscard]] row only() const;

  [[nodiscard]] std::size_t columns() const noexcept;
  [[nodiscard]] std::string_view column_name(std::size_t column) const;

  /// How many rows were inserted, updated, deleted or selected.
  [[nodiscard]] std::size_t affected_rows() const noexcept;
  /// "INSERT 0 1", "CREATE TABLE" ...
  [[nodiscard]] std::string_view command() const noexcept;

  class iterator {
  public:
    using iterator_category = std::input_iterator_tag;
    using value_type = row;
    using difference_type = std::ptrdiff_t;

    iterator() = default;
    iterator(const pg_result* r, int number) noexcept : result_(r), number_(number) {}
    row operator*() const noexcept { return {result_, number_}; }
    iterator& operator++() noexcept {
      ++number_;
      return *this;
    }
    iterator operator++(int) noexcept {
      auto before = *this;
      ++number_;
      return before;
    }
    bool operator==(const iterator&) const = default;

  private:
    const pg_result* result_ = nullptr;
    int number_ = 0;
  };
  [[nodiscard]] iterator begin() const noexcept { return {result_, 0}; }
  [[nodiscard]] iterator end() const noexcept { return {result_, static_cast<int>(size())}; }

  /// libpq's own; null if there is none.
  [[nodiscard]] pg_result* raw() const noexcept { return result_; }

private:
  pg_result* result_;
};

} // namespace troupe::postgres
