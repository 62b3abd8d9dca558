// SPDX-License-Identifier: BSD-3-Clause
#include "text.hpp"

#include <troupe/http/headers.hpp>

#include <algorithm>
#include <charconv>
#include <limits>
#include <stdexcept>

namespace troupe::http {

namespace {

void check(std::string_view name, std::string_view value) {
  if (!is_token(name))
    throw std::invalid_argument("'" + std::string(name) + "' is no name for a header");
  const auto bad = [](char c) {
    return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7f';
  };
  if (std::any_of(value.begin(), value.end(), bad))
    throw std::invalid_argument("the value of the header " + std::string(name)
                                + " has a control character");
}

class decimal {
public:
  explicit decimal(std::uint64_t n) noexcept
    : size_(static_cast<std::size_t>(std::to_chars(text_, text_ + sizeof text_, n).ptr - text_)) {}
  operator std::string_view() const noexcept { return {text_, size_}; }

private:
  char text_[20];
  std::size_t size_;
};

} // namespace

bool same_name(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size())
    return false;
  for (std::size_t i = 0; i != a.size(); ++i)
    if (lower(a[i]) != lower(b[i]))
      return false;
  return true;
}

headers::headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  for (const auto& [name, value] : fields)
    add(name, value);
}

void headers::add(std::string_view name, std::string_view value) {
  value = trimmed(value);
  check(name, value);
  if (name.size() + value.size() > std::numeric_limits<std::uint32_t>::max() - text_.size())
    throw std::length_error("too many headers");
  const auto begin = static_cast<std::uint32_t>(text_.size());
  fields_.push_back(
    {begin, static_cast<std::uint32_t>(name.size()), static_cast<std::uint32_t>(value.size())});
  try {
    text_.append(name).append(value);
  } catch (...) {
    fields_.pop_back();
    text_.resize(begin);
    throw;
  }
}

void headers::add(std::string_view name, std::uint64_t value) { add(name, decimal(value)); }

void headers::set(std::string_view name, std::string_view value) {
  // what is given may lie in this very buffer
  const std::string kept_name(name);
  const std::string kept_value(value);
  check(kept_name, trimmed(kept_value));
  remove(kept_name);
  add(kept_name, kept_value);
}

void headers::set(std::string_view name, std::uint64_t value) { set(name, decimal(value)); }

std::size_t headers::remove(std::string_view name) noexcept {
  std::size_t kept = 0;
  std::uint32_t end = 0; // of the kept ones' text
  for (std::size_t i = 0; i != fields_.size(); ++i) {
    const field f = (*this)[i];
    if (same_name(f.name, name))
      continue;
    place p = fields_[i];
    const std::uint32_t size = p.name + p.value;
    if (p.begin != end)
      std::copy(text_.data() + p.begin, text_.data() + p.begin + size, text_.data() + end);
    p.begin = end;
    end += size;
    fields_[kept++] = p;
  }
  const std::size_t removed = fields_.size() - kept;
  fields_.resize(kept);
  text_.resize(end);
  return removed;
}

void headers::clear() noexcept {
  fields_.clear();
  text_.clear();
}

bool headers::contains(std::string_view name) const noexcept { return get(name).has_value(); }

std::optional<std::string_view> headers::get(std::string_view name) const noexcept {
  for (const field f : *this)
    if (same_name(f.name, name))
      return f.value;
  return std::nullopt;
}

std::string_view headers::get(std::string_view name, std::string_view otherwise) const noexcept {
  return get(name).value_or(otherwise);
}

std::vector<std::string_view> headers::all(std::string_view name) const {
  std::vector<std::string_view> found;
  for (const field f : *this)
    if (same_name(f.name, name))
      found.push_back(f.value);
  return found;
}

bool headers::has_token(std::string_view name, std::string_view token) const noexcept {
  for (const field f : *this) {
    if (!same_name(f.name, name))
      continue;
    std::string_view rest = f.value;
    while (!rest.empty())
      if (same_name(trimmed(cut(rest, ',')), token))
        return true;
  }
  return false;
}

headers::field headers::operator[](std::size_t i) const noexcept {
  const place p = fields_[i];
  const std::string_view text(text_);
  return {text.substr(p.begin, p.name), text.substr(p.begin + p.name, p.value)};
}

void headers::append_to(std::string& text) const {
  for (const field f : *this)
    text.append(f.name).append(": ").append(f.value).append("\r\n");
}

} // namespace troupe::http
