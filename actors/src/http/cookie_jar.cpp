// SPDX-License-Identifier: BSD-3-Clause
#include "text.hpp"

#include <troupe/http/cookie_jar.hpp>
#include <troupe/http/headers.hpp>
#include <troupe/time.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <utility>

namespace troupe::http {

namespace {

using namespace std::chrono;

constexpr std::size_t longest = 4096;
constexpr std::size_t most_of_a_domain = 50;
constexpr std::size_t most = 3000;

bool is_address(std::string_view host) {
  return host.find(':') != host.npos
         || std::all_of(host.begin(), host.end(), [](char c) { return is_digit(c) || c == '.'; });
}

bool domain_matches(std::string_view host, std::string_view domain) {
  if (host == domain)
    return true;
  return host.size() > domain.size() && host.ends_with(domain)
         && host[host.size() - domain.size() - 1] == '.' && !is_address(host);
}

bool path_matches(std::string_view path, std::string_view of_cookie) {
  return path.starts_with(of_cookie)
         && (path.size() == of_cookie.size() || of_cookie.ends_with('/')
             || path[of_cookie.size()] == '/');
}

std::string default_path(std::string_view path) {
  const std::size_t last = path.rfind('/');
  return last == 0 || last == path.npos ? "/" : std::string(path.substr(0, last));
}

std::optional<long long> number(std::string_view text) {
  long long n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size())
    return std::nullopt;
  return n;
}

/// In whatever form it was written (RFC 6265, 5.1.1).
class date_reader {
public:
  void take(std::string_view word) {
    if (!time_ && word.find(':') != word.npos)
      return take_time(word);
    const auto n = number(word);
    if (n && !day_ && word.size() <= 2)
      day_ = n;
    else if (n && !year_ && (word.size() == 4 || word.size() == 2))
      year_ = *n >= 100 ? *n : *n + (*n < 70 ? 2000 : 1900);
    else if (!n && !month_ && word.size() >= 3)
      take_month(word);
  }

  [[nodiscard]] std::optional<system_clock::time_point> result() const {
    if (!time_ || !day_ || !month_ || !year_)
      return std::nullopt;
    const year_month_day date(year(static_cast<int>(*year_)), month(*month_),
                              day(static_cast<unsigned>(*day_)));
    if (!date.ok() || *year_ < 1601)
      return std::nullopt;
    return sys_days(date) + *time_;
  }

private:
  void take_time(std::string_view word) {
    const auto hour = number(cut(word, ':'));
    const auto minute = number(cut(word, ':'));
    const auto second = number(word);
    if (hour && minute && second && *hour < 24 && *minute < 60 && *second < 61)
      time_ = hours(*hour) + minutes(*minute) + seconds(*second);
  }
  void take_month(std::string_view word) {
    constexpr std::string_view names = "janfebmaraprmayjunjulaugsepoctnovdec";
    const std::string three{lower(word[0]), lower(word[1]), lower(word[2])};
    if (const auto at = names.find(three); at != names.npos && at % 3 == 0)
      month_ = static_cast<unsigned>(at / 3 + 1);
  }

  std::optional<seconds> time_;
  std::optional<long long> day_, year_;
  std::optional<unsigned> month_;
};

std::optional<system_clock::time_point> parse_date(std::string_view text) {
  date_reader reader;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(" ,-\t"), text.size());
    if (end != 0)
      reader.take(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return reader.result();
}

/// So long from now; what is over has expired.
time_point in(duration d) { return deadline_after(current_time(), std::max(d, duration::zero())); }

duration seconds_of(long long n) {
  constexpr long long hundred_years = 100LL * 365 * 24 * 3600;
  return n > hundred_years ? duration::max() : duration(seconds(n));
}

} // namespace

void cookie_jar::receive(const url& from, std::string_view set_cookie) {
  if (set_cookie.size() > longest)
    return;
  std::string_view rest = set_cookie;
  std::string_view value = trimmed(cut(rest, ';'));
  if (value.find('=') == value.npos)
    return;
  cookie c;
  c.name = trimmed(cut(value, '='));
  c.value = trimmed(value);
  c.domain = from.host;
  c.path = default_path(from.path);
  std::optional<time_point> by_age, by_date;
  while (!rest.empty()) {
    std::string_view text = cut(rest, ';');
    const std::string_view name = trimmed(cut(text, '='));
    text = trimmed(text);
    if (same_name(name, "Secure")) {
      c.secure = true;
    } else if (same_name(name, "Path")) {
      c.path = text.starts_with('/') ? std::string(text) : default_path(from.path);
    } else if (same_name(name, "Max-Age")) {
      if (const auto n = number(text))
        by_age = in(seconds_of(*n));
    } else if (same_name(name, "Expires")) {
      if (const auto date = parse_date(text))
        by_date = in(seconds_of(duration_cast<seconds>(*date - current_wall_time()).count()));
    } else if (same_name(name, "Domain") && !text.empty()) {
      if (text.starts_with('.'))
        text.remove_prefix(1);
      c.domain.clear();
      for (const char letter : text)
        c.domain += lower(letter);
      c.host_only = false;
    }
  }
  if (c.name.empty() || !domain_matches(from.host, c.domain) || (c.secure && !from.secure()))
    return;
  if (c.domain == from.host && (is_address(from.host) || c.domain.find('.') == c.domain.npos))
    c.host_only = true;
  else if (!c.host_only && c.domain.find('.') == c.domain.npos)
    return; // for all of "com"
  c.expires = by_age.value_or(by_date.value_or(time_point::max()));
  set(std::move(c));
}

void cookie_jar::set(cookie c) {
  const auto same = std::find_if(all_.begin(), all_.end(), [&](const cookie& o) {
    return o.name == c.name && o.domain == c.domain && o.path == c.path;
  });
  if (same != all_.end()) {
    *same = std::move(c);
    return drop_expired();
  }
  const auto of_domain = [&](const cookie& o) { return o.domain == c.domain; };
  if (static_cast<std::size_t>(std::count_if(all_.begin(), all_.end(), of_domain))
      >= most_of_a_domain)
    all_.erase(std::find_if(all_.begin(), all_.end(), of_domain));
  else if (all_.size() >= most)
    all_.erase(all_.begin());
  all_.push_back(std::move(c));
  drop_expired();
}

std::string cookie_jar::header_for(const url& to) {
  drop_expired();
  std::vector<const cookie*> fitting;
  for (const cookie& c : all_)
    if ((c.host_only ? to.host == c.domain : domain_matches(to.host, c.domain))
        && path_matches(to.path, c.path) && (!c.secure || to.secure()))
      fitting.push_back(&c);
  std::stable_sort(fitting.begin(), fitting.end(), [](const cookie* a, const cookie* b) {
    return a->path.size() > b->path.size();
  });
  std::string text;
  for (const cookie* c : fitting)
    text.append(text.empty() ? "" : "; ").append(c->name).append("=").append(c->value);
  return text;
}

const std::vector<cookie>& cookie_jar::all() {
  drop_expired();
  return all_;
}

void cookie_jar::drop_expired() {
  const time_point now = current_time();
  std::erase_if(all_, [now](const cookie& c) { return c.expires <= now; });
}

} // namespace troupe::http
