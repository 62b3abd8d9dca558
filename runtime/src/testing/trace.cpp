// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/error.hpp>
#include <troupe/testing/trace.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ostream>
#include <string_view>

namespace troupe::testing {

namespace {

/// The length of the character that `text` begins with; 0 if that is no UTF-8.
std::size_t character(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80)
    return 1;
  const std::size_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (length == 0 || first > 0xf4 || text.size() < length)
    return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0U) != 0x80)
      return 0;
  const unsigned second = byte(1); // too long a form, a surrogate, beyond the last one
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)
      || (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
    return 0;
  return length;
}

void append_text(std::string& to, std::string_view text) {
  to += '"';
  while (!text.empty()) {
    const std::size_t n = character(text);
    const auto c = static_cast<unsigned char>(text.front());
    if (n == 0) {
      to += '?';
    } else if (c < 0x20) {
      constexpr std::string_view digits = "0123456789abcdef";
      to += "\\u00";
      to += digits[c / 16U];
      to += digits[c % 16U];
    } else {
      if (c == '"' || c == '\\')
        to += '\\';
      to += text.substr(0, n);
    }
    text.remove_prefix(std::max<std::size_t>(n, 1));
  }
  to += '"';
}

/// In microseconds.
void append_time(std::string& to, duration d) {
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(d).count();
  to += std::to_string(ns / 1000) + '.';
  const std::string rest = std::to_string(ns % 1000);
  to += std::string(3 - rest.size(), '0') + rest;
}

void append_value(std::string& to, double value) {
  std::array<char, 32> text{};
  if (!std::isfinite(value))
    to += "null";
  else
    to.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr);
}

void append_name(std::string& to, const char* of, std::string_view name) {
  to += R"("name":")";
  to += of;
  to += R"(","args":{"name":)";
  append_text(to, name);
  to += "}}";
}

} // namespace

trace::track trace::add_track(const std::string& group, std::string name) {
  const auto [place, is_new] = groups_.try_emplace(group, ids_ + 1);
  if (is_new)
    ++ids_;
  rows_.push_back({place->second, ids_ + 1, std::move(name), {}});
  ++ids_;
  return static_cast<track>(rows_.size() - 1);
}

void trace::begin(track on, std::string what, time_point when) {
  row& r = at(on);
  last_ = std::max(last_, when);
  r.open.push_back({.what = event::kind::slice,
                    .row = static_cast<std::uint32_t>(on),
                    .at = when,
                    .number = ++numbers_,
                    .name = std::move(what)});
}

void trace::end(track on, std::string how, time_point when) {
  row& r = at(on);
  if (r.open.empty())
    throw usage_error("troupe: nothing that could end has begun on the track '" + r.name + "'");
  event e = std::move(r.open.back());
  r.open.pop_back();
  e.length = std::max(when - e.at, duration::zero());
  e.how = std::move(how);
  add(std::move(e));
}

void trace::instant(track on, std::string what, time_point when) {
  static_cast<void>(at(on));
  add({.what = event::kind::instant,
       .row = static_cast<std::uint32_t>(on),
       .at = when,
       .number = ++numbers_,
       .name = std::move(what)});
}

void trace::count(track on, double value, time_point when) {
  add({.what = event::kind::value,
       .row = static_cast<std::uint32_t>(on),
       .at = when,
       .number = ++numbers_,
       .value = value,
       .name = at(on).name});
}

void trace::add(event e) {
  last_ = std::max(last_, e.at + e.length);
  events_.push_back(std::move(e));
  if (events_.size() <= most_)
    return;
  events_.pop_front();
  ++lost_;
}

void trace::write(std::string& to, const event& e) const {
  const row& r = rows_[e.row];
  to += R"({"pid":)" + std::to_string(r.group) + R"(,"tid":)" + std::to_string(r.id) + R"(,"ts":)";
  append_time(to, e.at.time_since_epoch());
  to += R"(,"name":)";
  append_text(to, e.name);
  switch (e.what) {
  case event::kind::slice:
    to += R"(,"ph":"X","dur":)";
    append_time(to, e.length);
    if (!e.how.empty()) {
      to += R"(,"args":{"end":)";
      append_text(to, e.how);
      to += '}';
    }
    break;
  case event::kind::instant: to += R"(,"ph":"i","s":"t")"; break;
  case event::kind::value:
    to += R"(,"ph":"C","args":{"value":)";
    append_value(to, e.value);
    to += '}';
    break;
  }
  to += '}';
}

void trace::write(std::ostream& out) const {
  std::vector<event> open;
  for (const row& r : rows_)
    for (const event& e : r.open) {
      open.push_back(e);
      open.back().length = last_ - e.at;
    }
  std::vector<const event*> all;
  all.reserve(events_.size() + open.size());
  for (const event& e : open)
    all.push_back(&e);
  for (const event& e : events_)
    all.push_back(&e);
  // by time, and what contains others before them
  std::sort(all.begin(), all.end(), [](const event* a, const event* b) {
    return a->at != b->at ? a->at < b->at : a->number < b->number;
  });

  std::string line = R"({"displayTimeUnit":"ms","otherData":{"lost":")" + std::to_string(lost_)
                     + R"("},"traceEvents":[)";
  const char* between = "\n";
  const auto next = [&] {
    out << line;
    line = between;
    between = ",\n";
  };
  for (const auto& [name, id] : groups_) {
    next();
    line += R"({"ph":"M","pid":)" + std::to_string(id) + ',';
    append_name(line, "process_name", name);
  }
  for (const row& r : rows_) {
    next();
    line +=
      R"({"ph":"M","pid":)" + std::to_string(r.group) + R"(,"tid":)" + std::to_string(r.id) + ',';
    append_name(line, "thread_name", r.name);
  }
  for (const event* e : all) {
    next();
    write(line, *e);
  }
  out << line << "\n]}\n";
}

} // namespace troupe::testing
