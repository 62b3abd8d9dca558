// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/http/url.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::http {

/// A cookie that a server has set.
struct cookie {
  std::string name;
  std::string value;
  std::string domain; ///< without a dot in front
  std::string path = "/";
  time_point expires = time_point::max();
  bool host_only = true; ///< for `domain` alone, not for what is below it
  bool secure = false;   ///< for https alone
};

/// The cookies of a client, in memory (RFC 6265): domain, path, expiry and `Secure` are heeded.
/// There is no list of public suffixes: a server can set a cookie for any domain it belongs to
/// that has a dot.
///
/// What is more than 4,096 bytes long is not kept; of more than 50 for a domain, or 3,000 in all,
/// the oldest goes. Not a checkpoint anywhere.
class cookie_jar {
public:
  /// A header `Set-Cookie` of the answer of `from`. What makes no sense is ignored.
  void receive(const url& from, std::string_view set_cookie);

  /// The header `Cookie` for a request: "a=1; b=2"; empty if there is none.
  [[nodiscard]] std::string header_for(const url& to);

  void set(cookie c);
  void clear() noexcept { all_.clear(); }

  /// In the order of their coming; those that have expired are not there.
  [[nodiscard]] const std::vector<cookie>& all();

private:
  void drop_expired();

  std::vector<cookie> all_;
};

} // namespace troupe::http
