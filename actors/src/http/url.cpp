// SPDX-License-Identifier: BSD-3-Clause
#include "text.hpp"

#include <troupe/http/url.hpp>

#include <algorithm>
#include <array>
#include <charconv>

// Boost.URL would be the library for this, but that of 1.81 reads "http://a:x/" and
// "http://[::1]x/" as if nothing were wrong, and leaves "/../" in what it has normalised.
namespace troupe::http {

namespace {

struct known_scheme {
  std::string_view name;
  std::uint16_t port;
  bool secure;
};
constexpr std::array<known_scheme, 4> known_schemes = {
  {{"http", 80, false}, {"https", 443, true}, {"ws", 80, false}, {"wss", 443, true}}};

const known_scheme* find_scheme(std::string_view name) noexcept {
  const auto* const found = std::find_if(known_schemes.begin(), known_schemes.end(),
                                         [&](const known_scheme& s) { return s.name == name; });
  return found == known_schemes.end() ? nullptr : found;
}

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

/// For messages: nobody wants a password in a log.
std::string without_password(std::string_view text) {
  const std::size_t begin = text.find("//");
  const std::size_t at = text.substr(0, text.find_first_of("/?#", begin + 2)).rfind('@');
  if (begin == text.npos || at == text.npos)
    return std::string(text);
  return std::string(text.substr(0, begin + 2)) + "..." + std::string(text.substr(at));
}

[[noreturn]] void refuse_url(std::string_view text, std::string_view why) {
  throw url_error("'" + without_password(text) + "' is no URL to use: " + std::string(why));
}

/// What stands in a URL as it is; all else is encoded.
bool stands_in_url(char c) noexcept {
  return is_letter(c) || is_digit(c)
         || std::string_view("-._~:/?#[]@!$&'()*+,;=%").find(c) != std::string_view::npos;
}

/// "a b" and "ü" are given now and then: they mean "a%20b" and "%C3%BC".
std::string cleaned(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text)
    if (stands_in_url(c))
      out += c;
    else
      out += percent_encode({&c, 1});
  return out;
}

/// Takes out "." and ".." (RFC 3986, 5.2.4).
std::string without_dots(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/', 1), path.size());
    const std::string_view piece = path.substr(0, end);
    path.remove_prefix(end);
    const bool up = piece == "/..";
    if (up)
      out.erase(std::min(out.rfind('/'), out.size()));
    if (up || piece == "/.") {
      if (path.empty())
        out += '/';
    } else
      out += piece;
  }
  return out;
}

void read_authority(url& u, std::string_view text, std::string_view authority) {
  if (const std::size_t at = authority.rfind('@'); at != authority.npos) {
    std::string_view rest = authority.substr(0, at);
    u.user = percent_decode(cut(rest, ':'));
    u.password = percent_decode(rest);
    authority.remove_prefix(at + 1);
  }
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == authority.npos)
      refuse_url(text, "the address has no ']'");
    u.host = lowered(authority.substr(1, end - 1));
    if (u.host.find_first_not_of("0123456789abcdef:.%") != std::string::npos
        || u.host.find(':') == std::string::npos)
      refuse_url(text, "between the brackets is no IPv6 address");
    authority.remove_prefix(end + 1);
    if (!authority.empty() && authority.front() != ':')
      refuse_url(text, "behind the ']' comes no port");
    port = authority.empty() ? authority : authority.substr(1);
  } else {
    u.host = lowered(percent_decode(cut(authority, ':')));
    port = authority;
    const auto fits = [](char c) {
      return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_'
             || static_cast<unsigned char>(c) >= 0x80;
    };
    if (!std::all_of(u.host.begin(), u.host.end(), fits))
      refuse_url(text, "the host has a character that no host has");
  }
  if (u.host.empty())
    refuse_url(text, "it has no host");
  u.port = find_scheme(u.scheme)->port;
  if (!port.empty()) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), u.port);
    if (error != std::errc() || end != port.data() + port.size() || u.port == 0)
      refuse_url(text, "the port is no number up to 65535");
  }
}

void read_path(url& u, std::string_view rest) {
  const std::size_t hash = rest.find('#');
  u.fragment = hash == rest.npos ? std::string() : std::string(rest.substr(hash + 1));
  rest = rest.substr(0, hash);
  const std::string_view path = cut(rest, '?');
  u.path = without_dots(path.empty() ? "/" : path);
  u.query = rest;
}

} // namespace

std::string percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i != text.size(); ++i) {
    if (text[i] == '%') {
      const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
      const int low = high < 0 ? -1 : hex_value(text[i + 2]);
      if (low < 0)
        throw url_error("'" + std::string(text.substr(i, 3)) + "' is no percent-encoded byte");
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
  }
  return out;
}

std::string percent_encode(std::string_view text, std::string_view keep) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text)
    if (is_letter(c) || is_digit(c) || std::string_view("-._~").find(c) != text.npos
        || keep.find(c) != keep.npos)
      out += c;
    else {
      const auto byte = static_cast<unsigned char>(c);
      out.append({'%', digits[byte / 16], digits[byte % 16]});
    }
  return out;
}

query_parameters query_parameters::parse(std::string_view text) {
  query_parameters out;
  while (!text.empty()) {
    std::string_view value = cut(text, '&');
    if (value.empty())
      continue;
    const std::string_view name = cut(value, '=');
    out.add(percent_decode(name, true), percent_decode(value, true));
  }
  return out;
}

std::optional<std::string_view> query_parameters::get(std::string_view name) const noexcept {
  for (const auto& [n, value] : all_)
    if (n == name)
      return value;
  return std::nullopt;
}

std::vector<std::string_view> query_parameters::all(std::string_view name) const {
  std::vector<std::string_view> found;
  for (const auto& [n, value] : all_)
    if (n == name)
      found.emplace_back(value);
  return found;
}

std::string query_parameters::text() const {
  std::string out;
  for (const auto& [name, value] : all_) {
    if (!out.empty())
      out += '&';
    out.append(percent_encode(name)).append("=").append(percent_encode(value));
  }
  return out;
}

target_parts split_target(std::string_view target) noexcept {
  if (!target.starts_with('/')) {
    const std::size_t begin = target.find("://");
    if (begin != target.npos)
      target.remove_prefix(std::min(target.find_first_of("/?", begin + 3), target.size()));
  }
  std::string_view query = target.substr(0, target.find('#'));
  const std::string_view path = cut(query, '?');
  return {path.empty() ? "/" : path, query};
}

url url::parse(std::string_view text) {
  const std::size_t colon = text.find("://");
  if (colon == text.npos)
    refuse_url(text, "it does not begin with http:// or the like");
  url u;
  u.scheme = lowered(text.substr(0, colon));
  if (!find_scheme(u.scheme))
    refuse_url(text, "its scheme is none of http, https, ws, wss");
  const std::string clean = cleaned(text.substr(colon + 3));
  const std::size_t end = std::min(clean.find_first_of("/?#"), clean.size());
  try {
    read_authority(u, text, std::string_view(clean).substr(0, end));
  } catch (const url_error& e) {
    if (std::string_view(e.what()).find("is no URL") != std::string_view::npos)
      throw;
    refuse_url(text, e.what());
  }
  read_path(u, std::string_view(clean).substr(end));
  return u;
}

url url::resolve(std::string_view reference) const {
  const std::size_t colon = reference.find(':');
  if (colon != reference.npos && colon < reference.find_first_of("/?#") && colon != 0) {
    url u = parse(reference);
    if (u.user.empty() && same_origin(u)) {
      u.user = user;
      u.password = password;
    }
    return u;
  }
  if (reference.starts_with("//"))
    return resolve(scheme + ":" + std::string(reference));
  url u = *this;
  std::string clean = cleaned(reference);
  if (clean.empty() || clean.front() == '#') {
    u.fragment = clean.empty() ? std::string() : clean.substr(1);
    return u;
  }
  if (clean.front() == '?')
    clean.insert(0, path);
  else if (clean.front() != '/')
    clean.insert(0, path.substr(0, path.rfind('/') + 1));
  read_path(u, clean);
  return u;
}

bool url::secure() const noexcept {
  const known_scheme* known = find_scheme(scheme);
  return known && known->secure;
}

bool url::same_origin(const url& other) const noexcept {
  return scheme == other.scheme && host == other.host && port == other.port;
}

std::string url::authority() const {
  std::string out = host.find(':') == std::string::npos ? host : "[" + host + "]";
  const known_scheme* known = find_scheme(scheme);
  if (port != 0 && !(known && known->port == port))
    out.append(":").append(std::to_string(port));
  return out;
}

std::string url::target() const { return query.empty() ? path : path + "?" + query; }

std::string url::text() const {
  std::string out = scheme + "://" + authority() + target();
  if (!fragment.empty())
    out.append("#").append(fragment);
  return out;
}

} // namespace troupe::http
