// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace troupe::postgres {

/// What the server has said about a statement that failed. `what()` is all of it: "postgres at
/// /run/postgresql:5432/shop: ERROR 23505: duplicate key value ... (Key (id)=(1) already
/// exists.)".
class error : public std::runtime_error {
public:
  /// The parts of the server's answer.
  struct parts {
    std::string sqlstate = {};
    std::string message = {};
    std::string detail = {};
    std::string hint = {};
    std::string constraint = {};
  };

  error(const std::string& what, parts said) : std::runtime_error(what), said_(std::move(said)) {}
  explicit error(const std::string& what) : std::runtime_error(what) {}

  /// PostgreSQL's five letters, see `sqlstate`; empty if this side has failed.
  [[nodiscard]] const std::string& sqlstate() const noexcept { return said_.sqlstate; }
  [[nodiscard]] const std::string& message() const noexcept { return said_.message; }
  [[nodiscard]] const std::string& detail() const noexcept { return said_.detail; }
  [[nodiscard]] const std::string& hint() const noexcept { return said_.hint; }
  /// The constraint that does not hold, if it is that.
  [[nodiscard]] const std::string& constraint() const noexcept { return said_.constraint; }

private:
  parts said_;
};

/// There is no connection: the server cannot be reached, does not let us in, or has gone.
class connection_error : public error {
public:
  using error::error;
};

/// A value cannot be read as what was asked for: it is null, or of another type.
class bad_value : public error {
public:
  using error::error;
};

/// Those of PostgreSQL's error codes that programs often ask for.
namespace sqlstate {
inline constexpr std::string_view not_null_violation = "23502";
inline constexpr std::string_view foreign_key_violation = "23503";
inline constexpr std::string_view unique_violation = "23505";
inline constexpr std::string_view check_violation = "23514";
inline constexpr std::string_view failed_transaction = "25P02";
inline constexpr std::string_view serialization_failure = "40001";
inline constexpr std::string_view deadlock_detected = "40P01";
inline constexpr std::string_view syntax_error = "42601";
inline constexpr std::string_view undefined_table = "42P01";
inline constexpr std::string_view duplicate_table = "42P07";
inline constexpr std::string_view disk_full = "53100";
inline constexpr std::string_view query_canceled = "57014";
inline constexpr std::string_view admin_shutdown = "57P01";
inline constexpr std::string_view cannot_connect_now = "57P03";
} // namespace sqlstate

} // namespace troupe::postgres
