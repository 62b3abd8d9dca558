// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/redis/reply.hpp>

#include <charconv>

namespace troupe::redis {

namespace {

template <class T>
bool parse(std::string_view text, T& into) {
  const char* const end = text.data() + text.size();
  const auto [rest, bad] = std::from_chars(text.data(), end, into);
  return bad == std::errc() && rest == end && !text.empty();
}

std::string first_word(const std::string& text) { return text.substr(0, text.find(' ')); }

} // namespace

const reply& reply::operator[](std::size_t i) const {
  if (i >= elements_.size())
    throw bad_reply("redis: there is no element " + std::to_string(i) + " in "
                    + redis::to_string(*this));
  return elements_[i];
}

void reply::fail(std::string_view wanted) const {
  if (is_error())
    throw error("redis: " + text_, first_word(text_));
  throw bad_reply("redis: " + std::string(wanted) + " was asked for, and the reply is "
                  + redis::to_string(*this));
}

std::string reply::read(std::string*) const {
  if (type_ == type::string || type_ == type::status)
    return text_;
  if (type_ != type::integer)
    fail("text");
  return std::to_string(integer_);
}

std::int64_t reply::number() const {
  std::int64_t n = integer_;
  if (type_ != type::integer && (type_ != type::string || !parse(text_, n)))
    fail("a whole number");
  return n;
}

double reply::read(double*) const {
  double x = static_cast<double>(integer_);
  if (type_ != type::integer && (type_ != type::string || !parse(text_, x)))
    fail("a number");
  return x;
}

bool reply::read(bool*) const {
  if (type_ == type::status)
    return true;
  if (type_ != type::integer)
    fail("yes or no");
  return integer_ != 0;
}

void reply::check_array() const {
  if (type_ != type::array)
    fail("an array");
}

std::string to_string(const reply& r) {
  constexpr std::size_t longest = 200;
  switch (r.kind()) {
  case reply::type::nil: return "(nil)";
  case reply::type::integer: return std::to_string(r.get<std::int64_t>());
  case reply::type::status:
  case reply::type::error: return r.text();
  case reply::type::string:
    return r.text().size() > longest ? '"' + r.text().substr(0, longest) + "...\""
                                     : '"' + r.text() + '"';
  case reply::type::array: break;
  }
  std::string text = "[";
  for (const reply& one : r.elements()) {
    if (text.size() > longest)
      return text + ", ...]";
    text += (text.size() == 1 ? "" : ", ") + to_string(one);
  }
  return text + ']';
}

} // namespace troupe::redis
