// SPDX-License-Identifier: BSD-3-Clause
#include "libpq.hpp"

#include <array>
#include <charconv>
#include <cstdlib>

namespace troupe::postgres {

namespace {

std::string field(const PGresult* r, int code) {
  const char* const text = PQresultErrorField(r, code);
  return text ? text : "";
}

template <class T>
bool parse(std::string_view text, T& into) {
  const char* const end = text.data() + text.size();
  const auto [rest, bad] = std::from_chars(text.data(), end, into);
  return bad == std::errc() && rest == end && !text.empty();
}

} // namespace

std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text)
    if (c != '\n')
      line += c;
    else if (!line.ends_with("; "))
      line += "; ";
  while (line.ends_with(' ') || line.ends_with(';'))
    line.pop_back();
  return line;
}

error::parts parts_of(const PGresult* r) {
  error::parts p;
  p.sqlstate = field(r, PG_DIAG_SQLSTATE);
  p.message = field(r, PG_DIAG_MESSAGE_PRIMARY);
  p.detail = field(r, PG_DIAG_MESSAGE_DETAIL);
  p.hint = field(r, PG_DIAG_MESSAGE_HINT);
  p.constraint = field(r, PG_DIAG_CONSTRAINT_NAME);
  return p;
}

std::string sentence(std::string_view name, const PGresult* r) {
  const error::parts p = parts_of(r);
  std::string text(name);
  if (p.message.empty())
    return text + ": " + one_line(PQresultErrorMessage(r));
  text += ": " + field(r, PG_DIAG_SEVERITY) + " " + p.sqlstate + ": " + one_line(p.message);
  if (!p.detail.empty())
    text += " (" + one_line(p.detail) + ")";
  if (!p.hint.empty())
    text += " (" + one_line(p.hint) + ")";
  return text;
}

parameter::parameter(double value) {
  std::array<char, 64> digits{};
  const auto [end, bad] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  text_ = std::string(digits.data(), end);
}

// -- values -----------------------------------------------------------------------------

bool value::is_null() const noexcept { return PQgetisnull(result_, row_, column_) != 0; }

std::string_view value::text() const noexcept {
  return {PQgetvalue(result_, row_, column_),
          static_cast<std::size_t>(PQgetlength(result_, row_, column_))};
}

std::string_view value::column() const noexcept { return PQfname(result_, column_); }

std::string_view value::not_null() const {
  if (is_null())
    throw bad_value("postgres: column '" + std::string(column())
                    + "' is null, and was asked for as something that cannot be");
  return text();
}

void value::fail(std::string_view why) const {
  throw bad_value("postgres: column '" + std::string(column()) + "': '" + std::string(text()) + "' "
                  + std::string(why));
}

bool value::read(bool*) const {
  const auto t = not_null();
  if (t == "t")
    return true;
  if (t != "f")
    fail("is not a boolean");
  return false;
}

std::int64_t value::integer() const {
  std::int64_t n = 0;
  if (!parse(not_null(), n))
    fail("is not an integer, or out of range");
  return n;
}

std::uint64_t value::natural() const {
  std::uint64_t n = 0;
  if (!parse(not_null(), n))
    fail("is not a number from 0 on, or out of range");
  return n;
}

double value::read(double*) const {
  double d = 0;
  if (!parse(not_null(), d)) // knows "Infinity" and "NaN" as the server does
    fail("is not a number");
  return d;
}

float value::read(float*) const {
  float f = 0;
  if (!parse(not_null(), f))
    fail("is not a number");
  return f;
}

std::vector<std::byte> value::read(std::vector<std::byte>*) const {
  const auto t = not_null();
  if (!t.starts_with("\\x") || t.size() % 2 != 0)
    fail("is not bytea");
  std::vector<std::byte> bytes(t.size() / 2 - 1);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    unsigned byte = 0;
    const char* const at = t.data() + 2 + 2 * i;
    if (std::from_chars(at, at + 2, byte, 16).ptr != at + 2)
      fail("is not bytea");
    bytes[i] = static_cast<std::byte>(byte);
  }
  return bytes;
}

// -- rows -------------------------------------------------------------------------------

std::size_t row::size() const noexcept { return static_cast<std::size_t>(PQnfields(result_)); }

value row::operator[](std::size_t column) const {
  if (column >= size())
    throw bad_value("postgres: there is no column " + std::to_string(column) + ", but "
                    + std::to_string(size()));
  return {result_, number_, static_cast<int>(column)};
}

value row::operator[](std::string_view column) const {
  // PQfnumber would fold the case and take quotes off
  for (int i = 0; i < PQnfields(result_); ++i)
    if (PQfname(result_, i) == column)
      return {result_, number_, i};
  throw bad_value("postgres: there is no column '" + std::string(column) + "'");
}

void row::check_size(std::size_t asked) const {
  if (asked != size())
    throw bad_value("postgres: a row has " + std::to_string(size()) + " columns, and "
                    + std::to_string(asked) + " were asked for");
}

result::~result() { PQclear(result_); }

std::size_t result::size() const noexcept { return static_cast<std::size_t>(PQntuples(result_)); }

row result::operator[](std::size_t number) const {
  if (number >= size())
    throw bad_value("postgres: there is no row " + std::to_string(number) + ", but "
                    + std::to_string(size()));
  return {result_, static_cast<int>(number)};
}

row result::only() const {
  if (size() != 1)
    throw bad_value("postgres: one row was asked for, and there are " + std::to_string(size()));
  return {result_, 0};
}

std::size_t result::columns() const noexcept {
  return static_cast<std::size_t>(PQnfields(result_));
}

std::string_view result::column_name(std::size_t column) const {
  if (column >= columns())
    throw bad_value("postgres: there is no column " + std::to_string(column));
  return PQfname(result_, static_cast<int>(column));
}

std::size_t result::affected_rows() const noexcept {
  return std::strtoull(PQcmdTuples(result_), nullptr, 10);
}

std::string_view result::command() const noexcept { return result_ ? PQcmdStatus(result_) : ""; }

} // namespace troupe::postgres
