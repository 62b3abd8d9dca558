// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::http {

/// A text is no URL, or a part of one is not written as it should be.
class url_error : public std::invalid_argument {
public:
  using std::invalid_argument::invalid_argument;
};

/// "a%20b" is "a b"; with `plus_is_space`, as in queries, so is "a+b". Throws `url_error`
/// ("%zz").
[[nodiscard]] std::string percent_decode(std::string_view text, bool plus_is_space = false);

/// Writes all but letters, digits, "-._~" and what is in `keep` as "%20".
[[nodiscard]] std::string percent_encode(std::string_view text, std::string_view keep = {});

/// The parameters of a query, "a=1&b=2", or of a form, in order and decoded.
class query_parameters {
public:
  query_parameters() = default;
  query_parameters(std::initializer_list<std::pair<std::string, std::string>> all) : all_(all) {}

  /// Throws `url_error`.
  [[nodiscard]] static query_parameters parse(std::string_view text);

  void add(std::string name, std::string value) {
    all_.emplace_back(std::move(name), std::move(value));
  }

  /// The first of that name, if there is one.
  [[nodiscard]] std::optional<std::string_view> get(std::string_view name) const noexcept;
  [[nodiscard]] std::string_view get(std::string_view name,
                                     std::string_view otherwise) const noexcept {
    return get(name).value_or(otherwise);
  }
  [[nodiscard]] std::vector<std::string_view> all(std::string_view name) const;

  [[nodiscard]] auto begin() const noexcept { return all_.begin(); }
  [[nodiscard]] auto end() const noexcept { return all_.end(); }
  [[nodiscard]] std::size_t size() const noexcept { return all_.size(); }
  [[nodiscard]] bool empty() const noexcept { return all_.empty(); }

  /// "a=1&b=2", encoded.
  [[nodiscard]] std::string text() const;

private:
  std::vector<std::pair<std::string, std::string>> all_;
};

/// The parts of a target, "/a%20b?c=d": encoded as they stand there.
struct target_parts {
  std::string_view path;  ///< "/a%20b"
  std::string_view query; ///< "c=d"
};
/// Of a request's target: of "http://host/a?b" as of "/a?b"; the path is "*" or "/" at least.
[[nodiscard]] target_parts split_target(std::string_view target) noexcept;

/// An absolute URL of http, https, ws or wss (RFC 3986).
struct url {
  std::string scheme = "http"; ///< small letters
  std::string user = {};       ///< decoded, as is the password
  std::string password = {};
  std::string host = {};  ///< small letters; an IPv6 address without its brackets
  std::uint16_t port = 0; ///< as it was given, or the scheme's
  std::string path = "/"; ///< encoded, as are query and fragment
  std::string query = {};
  std::string fragment = {};

  /// Throws `url_error`, whose sentence names the URL (without a password) and what is wrong.
  [[nodiscard]] static url parse(std::string_view text);

  /// What `reference` ("../x?y", "//host/", "https://elsewhere/") means on the page of this
  /// URL, for redirects. User and password stay only on the same scheme, host and port.
  [[nodiscard]] url resolve(std::string_view reference) const;

  /// Whether it is https or wss.
  [[nodiscard]] bool secure() const noexcept;
  /// Whether scheme, host and port are the same.
  [[nodiscard]] bool same_origin(const url& other) const noexcept;

  /// For the header `Host`: the port only if it is not the scheme's.
  [[nodiscard]] std::string authority() const;
  /// For the line of a request: path and query.
  [[nodiscard]] std::string target() const;
  /// The whole, without user and password.
  [[nodiscard]] std::string text() const;
};

} // namespace troupe::http
